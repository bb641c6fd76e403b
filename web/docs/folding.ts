/** What stands beside the documents: there where the screen has room, else folded into a bar above them. */

const NARROW = "(max-width: 1150px)";

export function fold(...parts: HTMLDetailsElement[]): void {
  const narrow = matchMedia(NARROW);
  const close = (others: HTMLDetailsElement[]): void => others.forEach((part) => (part.open &&= !narrow.matches));
  const arrange = (): void => parts.forEach((part) => (part.open = !narrow.matches));
  narrow.addEventListener("change", arrange);
  arrange();
  for (const part of parts) {
    part.addEventListener("toggle", () => part.open && close(parts.filter((other) => other !== part)));
    part.addEventListener("click", ({ target }) => (target as Element).closest("a") && close([part]));
    part.addEventListener("keydown", ({ key }) => {
      if (key !== "Escape" || !narrow.matches) return;
      close([part]);
      part.querySelector("summary")!.focus();
    });
  }
  document.addEventListener("click", ({ target }) => close(parts.filter((part) => !part.contains(target as Node))));
}
