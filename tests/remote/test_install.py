"""Installing a tree: staged, validated, renamed; what was there can be put back."""

import getpass
import grp
import os
import stat

import pytest

from cjsm_connect.remote import collect, common, generation, install, staging, undo, validate

GROUP = grp.getgrgid(os.getgid()).gr_name


pytestmark = pytest.mark.usefixtures("machine")


def file(path, text, mode=0o644, secret=False):
    owner = {"owner": getpass.getuser(), "group": GROUP}
    return {"path": str(path), "text": text, "mode": mode, "secret": secret, **owner}


def wanted(*files, absent=(), **other):
    """The arguments of an install that changes these files, and what else is given."""
    nothing = {name: [] for name in ("directories", "maps", "keys", "firewalls", "access", "flows")}
    belongs = {"services": [], "health": [], "firewalls": []}
    who = {"about": {"who": "test"}, "claim": {"token": "one", "who": "test"}, "undo": "", "seconds": 90}
    changes = {"files": list(files), "absent": [str(path) for path in absent], "map_set": ""}
    return {**nothing, "wanted": belongs, **who, **changes, **other}


def test_a_new_file_has_its_content_owner_and_mode(tmp_path):
    install.install(wanted(file(tmp_path / "a/b.conf", "content\n", 0o640)))
    assert (tmp_path / "a/b.conf").read_text() == "content\n"
    assert stat.S_IMODE((tmp_path / "a/b.conf").stat().st_mode) == 0o640


def test_a_file_is_replaced_as_a_whole_by_another_inode(tmp_path):
    (tmp_path / "x").write_text("old")
    before = (tmp_path / "x").stat().st_ino
    install.install(wanted(file(tmp_path / "x", "new")))
    assert (tmp_path / "x").read_text() == "new"
    assert (tmp_path / "x").stat().st_ino != before


def test_when_one_file_is_not_valid_none_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "good").write_text("old")
    monkeypatch.setattr(validate, "COMMANDS", [(str(tmp_path / "bad"), ["grep", "-q", "correct", "{}"])])
    with pytest.raises(common.Failed, match="bad is not valid"):
        install.install(wanted(file(tmp_path / "good", "new"), file(tmp_path / "bad", "wrong")))
    assert (tmp_path / "good").read_text() == "old"
    assert not (tmp_path / "bad").exists()
    assert collect.generation() == 0


def test_nothing_is_left_in_the_staging_directory(tmp_path):
    install.install(wanted(file(tmp_path / "x", "new")))
    assert list((tmp_path / ".cjsm-stage").iterdir()) == []


def test_a_staging_directory_that_others_can_use_is_refused(tmp_path):
    (tmp_path / ".cjsm-stage").mkdir()
    (tmp_path / ".cjsm-stage").chmod(0o777)
    with pytest.raises(common.Failed, match="only root can use"):
        install.install(wanted(file(tmp_path / "x", "new")))
    assert not (tmp_path / "x").exists()


def test_an_unknown_owner_is_told_by_name(tmp_path):
    with pytest.raises(common.Failed, match="no user or group"):
        install.install(wanted(file(tmp_path / "x", "new") | {"owner": "nobody-of-that-name"}))


def test_a_generation_puts_everything_back(tmp_path):
    (tmp_path / "changed").write_text("old")
    (tmp_path / "changed").chmod(0o600)
    (tmp_path / "removed").write_text("was here")
    (tmp_path / "link").symlink_to("/nowhere")
    done = install.install(
        wanted(
            file(tmp_path / "changed", "new"),
            file(tmp_path / "added", "new"),
            file(tmp_path / "link", "a file now"),
            absent=[tmp_path / "removed"],
        )
    )
    generation.restore(done["generation"], generation.manifest(done["generation"])["replaced"])
    assert (tmp_path / "changed").read_text() == "old"
    assert stat.S_IMODE((tmp_path / "changed").stat().st_mode) == 0o600
    assert (tmp_path / "removed").read_text() == "was here"
    assert not (tmp_path / "added").exists()
    assert (tmp_path / "link").readlink().as_posix() == "/nowhere"


def test_a_generation_never_holds_a_secret(tmp_path):
    (tmp_path / "password").write_text("hunter2")
    done = install.install(wanted(file(tmp_path / "password", "correct horse", 0o600, secret=True)))
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state/generations").rglob("*") if path.is_file())
    assert b"hunter2" not in kept
    generation.restore(done["generation"], generation.manifest(done["generation"])["replaced"])
    assert (tmp_path / "password").read_text() == "correct horse"


def test_the_last_ten_generations_are_kept(tmp_path):
    for number in range(12):
        install.install(wanted(file(tmp_path / "x", str(number))))
        undo.done()
    kept = sorted(int(path.name) for path in (tmp_path / "state/generations").iterdir())
    assert kept == list(range(3, 13))


def test_a_unit_is_current_when_it_started_after_the_last_change(tmp_path):
    (tmp_path / "conf").write_text("a")
    changed = (tmp_path / "conf").stat().st_ctime
    assert collect.is_current(changed + 1, [str(tmp_path / "conf")], {})
    assert not collect.is_current(changed - 1, [str(tmp_path / "conf")], {})


def test_a_reloaded_unit_is_current_until_its_files_change_again(tmp_path):
    path = str(tmp_path / "conf")
    (tmp_path / "conf").write_text("a")
    loaded = {"digest": collect.watched_digest([path]), "at": (tmp_path / "conf").stat().st_ctime}
    assert collect.is_current(1, [path], loaded)
    (tmp_path / "conf").write_text("b")
    assert not collect.is_current(1, [path], loaded)


def test_what_was_changed_by_hand_and_put_back_must_be_loaded_again(tmp_path):
    path = str(tmp_path / "conf")
    (tmp_path / "conf").write_text("a")
    loaded = {"digest": collect.watched_digest([path]), "at": (tmp_path / "conf").stat().st_ctime - 1}
    assert not collect.is_current(1, [path], loaded)


def test_a_set_of_tables_that_was_edited_by_hand_is_not_the_one_installed(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/transport").write_text("cjsm.net cjsm:[hub.example]:25\n")
    (tmp_path / "set" / collect.SEAL).write_text(collect.sealed(str(tmp_path / "set")))
    (tmp_path / "maps").symlink_to(tmp_path / "set")
    monkeypatch.setattr(collect, "MAPS", str(tmp_path / "maps"))
    assert collect.maps_in_use() == str(tmp_path / "set")
    (tmp_path / "set/transport").write_text("cjsm.net smtp:\n")
    assert collect.maps_in_use() is None


def test_a_path_below_a_file_is_absent_and_no_error(tmp_path):
    (tmp_path / "x").write_text("")
    assert collect.entry(str(tmp_path / "x/y"), None, {}) == {"kind": "absent"}


@pytest.fixture
def key(tmp_path, monkeypatch):
    """A key that is not there yet; whoever runs the tests stands for root."""
    monkeypatch.setattr(staging, "numbers", lambda _item: (os.getuid(), os.getgid()))
    monkeypatch.setattr(os, "chown", lambda *_: None)
    names = {"common_name": "relay.example", "names": ["relay.example"], "organisation": "Example", "name": "hub"}
    paths = {"path": "hub.key", "request_path": "hub.csr", "chain_path": "hub.chain.pem"}
    return names | {kind: str(tmp_path / name) for kind, name in paths.items()} | {"algorithm": "ec-p256"}


def signed(key):
    """A certificate for the key, signed by itself."""
    return common.run(["openssl", "x509", "-req", "-in", key["request_path"], "-signkey", key["path"], "-days", "2"])


def test_a_returned_certificate_is_renamed_into_place_closed_and_never_kept(tmp_path, key):
    install.install(wanted() | {"keys": [key | {"certificate": None}]})
    undo.done()
    (tmp_path / "hub.chain.pem").write_text("the chain before")
    done = install.install(wanted() | {"keys": [key | {"certificate": signed(key)}]})
    chain = (tmp_path / "hub.chain.pem").read_text()
    assert chain.startswith((tmp_path / "hub.key").read_text())
    assert chain.endswith("-----END CERTIFICATE-----\n")
    assert stat.S_IMODE((tmp_path / "hub.chain.pem").stat().st_mode) == 0o600
    kept = [path.name for path in (tmp_path / "state/generations").rglob("*") if path.is_file()]
    assert set(kept) == {"manifest.json"}
    generation.restore(done["generation"], generation.manifest(done["generation"])["replaced"])
    assert (tmp_path / "hub.chain.pem").read_text() == chain


def test_a_certificate_for_another_key_is_refused_before_anything_is_renamed(tmp_path, key):
    other = key | {name: key[name] + ".other" for name in ("path", "request_path", "chain_path")}
    install.install(wanted() | {"keys": [other | {"certificate": None}]})
    undo.done()
    with pytest.raises(common.Failed, match="not for the key"):
        install.install(wanted(file(tmp_path / "x", "new")) | {"keys": [key | {"certificate": signed(other)}]})
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "hub.chain.pem").exists()


def test_rules_that_nft_refuses_are_refused_before_anything_is_renamed(tmp_path, machine):
    with pytest.raises(common.Failed, match=r"nft says: .*syntax error"):
        install.install(wanted(file(tmp_path / "x", "new"), firewalls=[machine.wall | {"ruleset": "nonsense"}]))
    assert not (tmp_path / "x").exists()
    assert collect.generation() == 0


class ReadOnly:
    """What statvfs(3) says of a file system that is mounted read-only."""

    f_flag = os.ST_RDONLY


def test_a_read_only_file_system_is_named_before_anything_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "x").write_text("old")
    real = os.statvfs
    monkeypatch.setattr(os, "statvfs", lambda path: ReadOnly if str(path).startswith(str(tmp_path)) else real(path))
    with pytest.raises(
        common.Failed, match=f"{tmp_path} is on a file system that is mounted read-only.*nothing was ch"
    ):
        install.install(wanted(file(tmp_path / "x", "new"), file(tmp_path / "not/there/yet", "new")))
    assert (tmp_path / "x").read_text() == "old"
    assert collect.generation() == 0


def test_what_could_not_be_put_back_is_not_called_put_back(tmp_path, monkeypatch):
    (tmp_path / "x").write_text("old")

    def broken(*_arguments):
        raise OSError(30, "Read-only file system", "/etc/x")

    monkeypatch.setattr(install, "rename", broken)
    monkeypatch.setattr(undo, "put_back", lambda _why: {"restored": [], "problems": ["[Errno 30] Read-only"]})
    with pytest.raises(common.Failed) as caught:
        install.install(wanted(file(tmp_path / "x", "new")))
    assert "NOT everything was put back: [Errno 30] Read-only" in str(caught.value)
    assert "; everything was put back" not in str(caught.value)
