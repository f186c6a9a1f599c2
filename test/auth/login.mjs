// login.mjs is the user's browser: it follows an authorization URL, keeps cookies, and returns where the
// provider sends the user back to. With URL as an argument it is a browser for programs that open one:
// it requests that last address as well.

// browse follows redirects from url until one leads to redirectURI, and returns that address.
export async function browse(url, redirectURI) {
  const cookies = new Map();
  for (let hops = 0; hops < 10; hops++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const at = pair.indexOf('=');
      cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const location = answer.headers.get('location');
    if (!location) throw new Error(`${answer.status} without a redirect: ${(await answer.text()).slice(0, 300)}`);
    url = new URL(location, url);
    if (url.href.startsWith(redirectURI)) return url;
  }
  throw new Error('too many redirects');
}

if (import.meta.main) {
  const url = new URL(process.argv[2]);
  await fetch(await browse(url, url.searchParams.get('redirect_uri')));
}
