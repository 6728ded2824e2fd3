for (const [column, head] of [...document.querySelectorAll("#overview th")].entries()) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = document.querySelector("#overview tbody");
    const text = row => row.children[column].textContent.trim();
    const order = new Intl.Collator("en-GB", { numeric: true }).compare;
    body.append(...[...body.rows].sort((one, other) => order(text(one), text(other)) * (down ? -1 : 1)));
  });
}
