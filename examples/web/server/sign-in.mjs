/** The page on which a demo user signs in: a choice of names, and no password. */

/** Who can sign in, and whether his issuer calls him a guest. */
export const people = [
  { id: "ada", name: "Ada Lovelace", about: "a user: all scopes" },
  { id: "grace", name: "Grace Hopper", about: "a user: all scopes" },
  { id: "guest", name: "A guest", about: "may join, no more", role: "guest" },
];

/** The page's policy: it has one style sheet, and sends its form to this server, which redirects to the app. */
export const policy = (app) =>
  `default-src 'none'; style-src 'self'; form-action 'self' ${app}; base-uri 'none'; frame-ancestors 'none'`;

/** The page for the interaction that this path names. */
export function signInPage(path) {
  const choices = people.map(
    ({ id, name, about }) =>
      `<button name="person" value="${id}"><strong>${name}</strong><span>${about}</span></button>`,
  );
  return page(
    "Who are you today?",
    "This stands in for your own issuer, such as Entra ID, Auth0 or Keycloak. It asks for no password.",
    `<form method="post" action="${path}">${choices.join("\n")}</form>`,
  );
}

/** The page on which a user confirms that he leaves. */
export function signOutPage(form) {
  return page("Sign out?", "You leave the issuer as well as the app.", form);
}

function page(title, text, form) {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <link rel="stylesheet" href="/sign-in.css">
  </head>
  <body>
    <main>
      <p class="badge">For development only</p>
      <h1>${title}</h1>
      <p>${text}</p>
      ${form}
    </main>
  </body>
</html>
`;
}

/** The page's style sheet. */
export const signInStyle = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  background: light-dark(#f3f5fa, #0e1118); color: light-dark(#1b2130, #e8ebf4); }
main { width: min(26rem, calc(100vw - 2rem)); box-sizing: border-box; padding: 2rem; border-radius: 1rem;
  background: light-dark(#fff, #171b26); border: 1px solid light-dark(#dfe4ef, #2a3040); }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0.75rem 0 0.5rem; }
p { margin: 0 0 1.25rem; color: light-dark(#4b5468, #a9b2c6); }
.badge { display: inline-block; margin: 0; padding: 0.1rem 0.6rem; border-radius: 1rem; font-size: 0.8rem;
  background: light-dark(#fff1d6, #3a2c0c); color: light-dark(#7a4b00, #f4c35f); }
form { display: grid; gap: 0.6rem; }
button { display: grid; gap: 0.1rem; text-align: left; font: inherit; color: inherit; padding: 0.75rem 1rem; cursor: pointer;
  border-radius: 0.6rem; border: 1px solid light-dark(#c9d1e2, #394157); background: light-dark(#fafbfe, #1d2230); }
button:hover { border-color: light-dark(#3b5bdb, #8ea5ff); }
button:focus-visible { outline: 3px solid light-dark(#3b5bdb, #8ea5ff); outline-offset: 2px; }
button span { font-size: 0.85rem; color: light-dark(#4b5468, #a9b2c6); }
`;
