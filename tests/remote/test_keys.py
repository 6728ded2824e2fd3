"""A private key and the request for it belong together."""

import os
import subprocess
from pathlib import Path

import pytest

from cjsm_connect.remote import keys


@pytest.fixture
def key(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "chown", lambda *_: None)
    paths = {f"{name}_path": str(tmp_path / f"hub.{name}") for name in ("request", "chain")}
    names = {"name": "hub", "common_name": "relay.example", "names": ["relay.example"], "organisation": "Council"}
    return {"path": str(tmp_path / "hub.key"), "algorithm": "ec-p256", "certificate": None, **paths, **names}


def of_key(key):
    return subprocess.check_output(["openssl", "pkey", "-in", key["path"], "-pubout"], text=True)


def of_request(key):
    return subprocess.check_output(["openssl", "req", "-in", key["request_path"], "-noout", "-pubkey"], text=True)


def test_a_key_that_is_there_keeps_its_request(key):
    keys.settle(key)
    before = of_request(key)
    keys.settle(key)
    assert of_request(key) == before == of_key(key)


def test_a_key_that_was_lost_gets_a_request_of_its_own(key):
    """The operator would otherwise sign the key that is gone."""
    keys.settle(key)
    Path(key["path"]).unlink()
    keys.settle(key)
    assert of_request(key) == of_key(key)
