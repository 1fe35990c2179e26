/** Makes elements and changes only what differs, so that selections and the reading position stay. */

type Child = Node | string;

/** An element with attributes and children. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The element of the page with this id. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no #${id}.`);
  return element;
}

/** Sets a text if it differs. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute if it differs. */
export function setAttribute(element: Element, name: string, value: string | number): void {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/** Gives `parent` exactly `howMany` children: makes missing ones, removes the last ones. */
export function children<T extends Element>(parent: Element, howMany: number, make: () => T): T[] {
  while (parent.children.length > howMany) parent.lastElementChild?.remove();
  while (parent.children.length < howMany) parent.append(make());
  return [...parent.children] as T[];
}
