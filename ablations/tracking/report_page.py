"""The page of a report as MLflow shows it."""

from __future__ import annotations

_SCRIPT = """
<script>
// MLflow shows a page in a frame from which no other file can be reached or saved. There, a link to
// a file becomes the name of the file; MLflow lists the files beside this page.
if (location.protocol === "blob:") {
  for (const link of document.querySelectorAll("a[href]")) {
    const target = link.getAttribute("href");
    if (!target.startsWith("#") && !/^[a-z]+:/i.test(target)) {
      const name = document.createElement("span");
      name.textContent = link.textContent;
      name.title = "report/" + target + " in the list of artifacts";
      link.replaceWith(name);
    }
  }
}
</script>
"""


def inside_mlflow(page: str) -> str:
    """Return a page that has no dead link in MLflow's frame, and all its links elsewhere."""
    before, body, after = page.rpartition("</body>")
    return before + _SCRIPT + body + after
