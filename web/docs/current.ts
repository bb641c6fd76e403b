/** Where the reader is, as a mark in the contents. */

const READ = "-60px 0px -60% 0px"; // the part of the screen that is looked at

export function markCurrent(contents: HTMLElement, articles: Element[]): void {
  const seen = new Set<Element>();
  let current: Element | null = null;
  const observer = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) seen[isIntersecting ? "add" : "delete"](target);
    const first = articles.find((article) => seen.has(article));
    if (!first) return; // between two
    current?.removeAttribute("aria-current");
    current = contents.querySelector(`a[href="#${first.id}"]`);
    current?.setAttribute("aria-current", "location");
    current?.scrollIntoView({ block: "nearest" });
  }, { rootMargin: READ });
  for (const article of articles) observer.observe(article);
}
