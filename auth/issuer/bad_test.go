package issuer_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/auth/issuer"
)

// badTokens returns tokens of a, which has the keys rsa, p256 and ed, none of which is valid.
func badTokens(a *authority) map[string]string {
	k := keys()
	bad := map[string]string{}
	now := time.Now().Unix()
	good := a.token("rsa", "RS256", k.rsa)
	parts := strings.Split(good, ".")
	head, claims, signature := parts[0], parts[1], parts[2]

	// The head. Each token but the unsigned ones is signed as it should be.
	baseHead := object{"alg": "RS256", "typ": "at+jwt", "kid": "rsa"}
	for i, alg := range []any{"none", "None", "NONE", "nOnE", "", " none", "RS256\x00", "rs256", "HS256", "HS512", "ES256K", "RSA-OAEP", nil, 1, true, []string{"RS256"}, object{"RS256": 1}} {
		h := b64([]byte(marshal(baseHead, object{"alg": alg})))
		bad[fmt.Sprintf("alg %d %v, signed with RS256", i, alg)] = sign(marshal(baseHead, object{"alg": alg}), marshal(a.claims()), "RS256", k.rsa)
		bad[fmt.Sprintf("alg %d %v, no signature", i, alg)] = h + "." + claims + "."
		bad[fmt.Sprintf("alg %d %v, some signature", i, alg)] = h + "." + claims + "." + signature
	}
	der, _ := x509.MarshalPKIXPublicKey(&k.rsa.PublicKey)
	pkcs1 := x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)
	for name, secret := range map[string][]byte{
		"DER": der, "PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "PKCS 1": pkcs1,
		"PKCS 1 PEM": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}), "modulus": k.rsa.N.Bytes(), "empty": {},
	} {
		bad["HMAC with the public key: "+name] = sign(marshal(baseHead, object{"alg": "HS256"}), marshal(a.claims()), "HS256", secret)
		input := head + "." + claims
		mac, _ := jwt.SigningMethodHS256.Sign(input, secret)
		bad["HMAC that says RS256: "+name] = input + "." + b64(mac)
	}
	for i, kid := range []any{"", "RSA", "rsa ", "../../../../dev/null", "/etc/passwd", "rsa' UNION SELECT 'x", "rsa\x00", "$(id)", "http://127.0.0.1:1/", strings.Repeat("k", 5000), "ed", nil, 1, true, []string{"rsa"}, object{"a": "rsa"}} {
		if kid == nil {
			continue // valid: see TestVariants
		}
		bad[fmt.Sprintf("kid %d", i)] = sign(marshal(baseHead, object{"kid": kid}), marshal(a.claims()), "RS256", k.rsa)
	}
	for name, change := range map[string]object{
		"typ of DPoP":          {"typ": "dpop+jwt"},
		"typ of a logout":      {"typ": "logout+jwt"},
		"typ of a secevent":    {"typ": "secevent+jwt"},
		"typ empty":            {"typ": ""},
		"typ twice the prefix": {"typ": "application/application/jwt"},
		"typ a number":         {"typ": 1},
		"typ a list":           {"typ": []string{"at+jwt"}},
		"crit":                 {"crit": []string{"exp"}},
		"crit empty":           {"crit": []string{}},
		"crit b64":             {"crit": []string{"b64"}, "b64": false},
		"head nested deep":     {"x": deep(200)},
	} {
		bad[name] = sign(marshal(baseHead, change), marshal(a.claims()), "RS256", k.rsa)
	}
	for name, h := range map[string]string{
		"head with alg twice": `{"alg":"none","alg":"RS256","kid":"rsa"}`,
		"head with kid twice": `{"alg":"RS256","kid":"ed","kid":"rsa"}`,
		"head escaped twice":  `{"alg":"RS256","\u0061lg":"none","kid":"rsa"}`,
		"head with ALG":       `{"ALG":"RS256","kid":"rsa"}`,
		"head a list":         `[{"alg":"RS256","kid":"rsa"}]`,
		"head null":           `null`, "head a string": `"RS256"`, "head empty": `{}`, "head cut": `{"alg":"RS256"`,
		"head and more": `{"alg":"RS256","kid":"rsa"}{}`, "head not UTF-8": "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"\xff\"}",
		"head with a BOM": "\xef\xbb\xbf" + `{"alg":"RS256","kid":"rsa"}`,
	} {
		bad[name] = sign(h, marshal(a.claims()), "RS256", k.rsa)
	}

	// The signature.
	for name, other := range map[string]string{
		"another RSA key, same kid":   sign(marshal(baseHead), marshal(a.claims()), "RS256", k.rsaOther),
		"a small RSA key":             a.token("small", "RS256", k.rsaSmall),
		"PS256 that says RS256":       sign(marshal(baseHead), marshal(a.claims()), "PS256", k.rsa),
		"RS512 that says RS256":       sign(marshal(baseHead), marshal(a.claims()), "RS512", k.rsa),
		"another curve, same kid":     sign(marshal(object{"alg": "ES256", "kid": "p256"}), marshal(a.claims()), "ES384", k.p384),
		"ES384 by a key of ES256":     a.token("p384", "ES384", k.p384),
		"ES256 with the kid of RSA":   a.token("rsa", "ES256", k.p256),
		"a key for encryption":        a.token("enc", "ES256", k.p256),
		"a key without verify":        a.token("ops", "ES256", k.p256),
		"a key of another algorithm":  a.token("alg", "PS256", k.rsa),
		"ES256 with an all-zero sig.": b64([]byte(marshal(object{"alg": "ES256", "kid": "p256"}))) + "." + claims + "." + b64(make([]byte, 64)),
		"EdDSA with an all-zero sig.": b64([]byte(marshal(object{"alg": "EdDSA", "kid": "ed"}))) + "." + claims + "." + b64(make([]byte, 64)),
		"signature empty":             head + "." + claims + ".",
		"signature cut":               good[:len(good)-4],
		"signature longer":            good + "AAAA",
		"signature of other claims":   head + "." + b64([]byte(marshal(a.claims(), object{"sub": "bob"}))) + "." + signature,
		"signature of another head":   b64([]byte(marshal(baseHead, object{"typ": "JWT"}))) + "." + claims + "." + signature,
		"own key in the head":         sign(marshal(baseHead, object{"jwk": jwk("rsa", k.rsaOther)}), marshal(a.claims()), "RS256", k.rsaOther),
		"own key in the head, no kid": sign(marshal(object{"alg": "RS256", "jwk": jwk("", k.rsaOther)}), marshal(a.claims()), "RS256", k.rsaOther),
		"own keys by jku":             sign(marshal(baseHead, object{"jku": a.URL + "/trap"}), marshal(a.claims()), "RS256", k.rsaOther),
		"own keys by x5u":             sign(marshal(baseHead, object{"x5u": a.URL + "/trap"}), marshal(a.claims()), "RS256", k.rsaOther),
	} {
		bad[name] = other
	}

	// The form.
	for name, token := range map[string]string{
		"empty": "", "one dot": ".", "two dots": "..", "three dots": "...", "one part": head, "two parts": head + "." + claims,
		"four parts": good + ".x", "five parts": good + "..", "many dots": strings.Repeat(".", 10_000), "no head": "." + claims + "." + signature,
		"no claims": head + ".." + signature, "padding": good + "==", "padding of the head": head + "=." + claims + "." + signature,
		"space before": " " + good, "space after": good + " ", "line end": good + "\n", "line end inside": head[:4] + "\n" + head[4:] + "." + claims + "." + signature,
		"carriage return inside": head + "." + claims[:4] + "\r" + claims[4:] + "." + signature, "NUL": good + "\x00", "non-ASCII": "ä" + good, "not UTF-8": "\xff" + good,
		"comma": good + "," + good, "plain JSON": `{"alg":"none"}.{}.x`, "opaque": "mcp-conformance-scope-low", "percent": "%" + good, "Bearer": "Bearer " + good,
		"64 KB": strings.Repeat("a", 64<<10), "64 KB of claims": sign(marshal(baseHead), marshal(a.claims(), object{"x": strings.Repeat("x", 64<<10)}), "RS256", k.rsa),
		"standard base64": head + "." + base64.RawStdEncoding.EncodeToString([]byte(marshal(a.claims(), object{"x": "\u00ff?>?>~~"}))) + "+/." + signature,
		"trailing bits":   good[:len(good)-1] + string(good[len(good)-1]+1),
	} {
		bad[name] = token
	}

	// The claims. Each token is signed as it should be.
	for name, change := range map[string]object{
		"no iss": {"iss": nil}, "iss empty": {"iss": ""}, "iss with a slash": {"iss": a.URL + "/"}, "iss upper-case": {"iss": strings.ToUpper(a.URL)},
		"iss with a path": {"iss": a.URL + "/x"}, "iss with a space": {"iss": a.URL + " "}, "iss foreign": {"iss": "https://evil.example.com"}, "iss a prefix": {"iss": a.URL[:len(a.URL)-1]},
		"iss a list": {"iss": []string{a.URL}}, "iss a number": {"iss": 1}, "iss an object": {"iss": object{"url": a.URL}},
		"no exp": {"exp": nil}, "exp late": {"exp": now - 11}, "exp long ago": {"exp": 1}, "exp zero": {"exp": 0}, "exp negative": {"exp": -now}, "exp negative fraction": {"exp": -0.5},
		"exp a late fraction": {"exp": float64(now) - 11.5}, "exp huge": {"exp": 1e300}, "exp of milliseconds": {"exp": (now + 600) * 1000}, "exp a string": {"exp": fmt.Sprint(now + 600)},
		"exp true": {"exp": true}, "exp a list": {"exp": []int64{now + 600}}, "exp an object": {"exp": object{}},
		"nbf in the future": {"nbf": now + 60}, "nbf a string": {"nbf": "0"}, "nbf negative": {"nbf": -1}, "iat in the future": {"iat": now + 60}, "iat huge": {"iat": 1e99}, "iat a list": {"iat": []int{}},
		"no aud": {"aud": nil}, "aud wrong": {"aud": "https://other.example.com"}, "aud empty": {"aud": ""}, "aud an empty list": {"aud": []string{}}, "aud an object": {"aud": object{audience: 1}},
		"aud a number": {"aud": 1}, "aud a list of lists": {"aud": [][]string{{audience}}}, "aud a mixed list": {"aud": []any{audience, 1}}, "aud a prefix": {"aud": audience[:len(audience)-1]},
		"aud longer": {"aud": audience + "/"}, "aud upper-case": {"aud": strings.ToUpper(audience)}, "aud two in one": {"aud": audience + " x"}, "aud a list of wrong ones": {"aud": []string{"a", "b", ""}},
		"sub a number": {"sub": 1}, "sub a list": {"sub": []string{"ann"}}, "nobody": {"sub": nil, "client_id": nil}, "nobody, empty": {"sub": "", "client_id": "", "azp": ""},
		"client_id a number": {"client_id": 1}, "azp a list": {"azp": []string{}}, "scope a number": {"scope": 1}, "scope a mixed list": {"scope": []any{"a", 1}}, "scp an object": {"scp": object{}},
		"cnf of DPoP": {"cnf": object{"jkt": "x"}}, "cnf of mTLS": {"cnf": object{"x5t#S256": "x"}}, "claims nested deep": {"x": deep(200)},
	} {
		bad["claim: "+name] = sign(marshal(baseHead), marshal(a.claims(), change), "RS256", k.rsa)
	}
	fine := strings.TrimSuffix(marshal(a.claims()), "}")
	for name, c := range map[string]string{
		"sub twice": fine + `,"sub":"bob"}`, "aud twice": fine + `,"aud":"other"}`, "exp twice": fine + `,"exp":9999999999}`, "escaped twice": fine + `,"\u0073ub":"bob"}`,
		"twice inside": fine + `,"x":{"a":1,"a":2}}`, "cut": fine, "and more": fine + `}{}`, "text after": fine + `}x`, "not UTF-8": fine + ",\"x\":\"\xff\"}",
		"a list": "[" + fine + "}]", "null": "null", "a string": `"x"`, "a number": "1", "empty": "{}", "nothing": " ",
		"exp beyond floats": strings.Replace(fine, `"exp":`, `"exp":1e400,"y":`, 1) + "}", "brackets": strings.Repeat("[", 11_000), "exp NaN": strings.Replace(fine, `"exp":`, `"exp":NaN,"y":`, 1) + "}",
	} {
		bad["claims: "+name] = sign(marshal(baseHead), c, "RS256", k.rsa)
	}
	return bad
}

func deep(n int) any {
	var v any = 1
	for range n {
		v = []any{v}
	}
	return v
}

func badAuthority(t testing.TB) *authority {
	t.Helper()
	k := keys()
	enc, ops, alg := jwk("enc", k.p256), jwk("ops", k.p256), jwk("alg", k.rsa)
	enc["use"], ops["key_ops"], alg["alg"] = "enc", []string{"sign"}, "RS256"
	// The key for tokens with kid p384 is of another curve.
	return newAuthority(t, jwk("rsa", k.rsa), jwk("p256", k.p256), jwk("p384", k.p256), jwk("ed", k.ed), jwk("small", k.rsaSmall), enc, ops, alg)
}

func TestBadTokens(t *testing.T) {
	a := badAuthority(t)
	v := newVerifier(t, issuer.Options{ClockSkew: 10 * time.Second}, a)
	if _, err := v.Verify(t.Context(), a.token("rsa", "RS256", keys().rsa), nil); err != nil {
		t.Fatal(err)
	}
	a.age = 3600 // tokens of keys that are not known are not of new ones: see TestNewKey
	bad := badTokens(a)
	if len(bad) < 150 {
		t.Errorf("%d bad tokens", len(bad))
	}
	for name, token := range bad {
		info, err := v.Verify(t.Context(), token, nil)
		if !errors.Is(err, auth.ErrInvalidToken) || errors.Is(err, auth.ErrUnavailable) || info != nil {
			t.Errorf("%s: got %+v, %v", name, info, err)
		}
		if err != nil && (strings.Contains(err.Error(), "ann") || len(err.Error()) > 100) {
			t.Errorf("%s: the error has something of the token: %v", name, err)
		}
	}
	if n := a.fetched.Load(); n > 2 {
		t.Errorf("the keys were fetched %d times, want 2 at most", n)
	}
}

// TestAlgorithms checks that an issuer's list of algorithms is kept to.
func TestAlgorithms(t *testing.T) {
	k := keys()
	a := newAuthority(t, jwk("k", k.rsa))
	v, err := issuer.New(issuer.Options{Issuers: []issuer.Issuer{{URL: a.URL, Audiences: []string{audience}, Algorithms: []string{"RS256"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), a.token("k", "RS256", k.rsa), nil); err != nil {
		t.Error(err)
	}
	if _, err := v.Verify(t.Context(), a.token("k", "PS256", k.rsa), nil); !errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("PS256: got %v", err)
	}
}

// FuzzVerify has heads and claims that are signed, so that the fuzzer gets past the signature.
func FuzzVerify(f *testing.F) {
	k := keys()
	a := newAuthority(f, jwk("ed", k.ed))
	v := newVerifier(f, issuer.Options{MinInterval: time.Hour}, a)
	head := `{"alg":"EdDSA","typ":"at+jwt","kid":"ed"}`
	f.Add(head, marshal(a.claims()), "")
	f.Add(`{"alg":"none"}`, `{"exp":1e400,"aud":[[]]}`, "a.b.c")
	f.Add(head, `{"iss":"x","iss":"y"}`, "..")
	f.Fuzz(func(t *testing.T, head, claims, raw string) {
		for _, token := range []string{raw, sign(head, claims, "EdDSA", k.ed)} {
			info, err := v.Verify(t.Context(), token, nil)
			switch {
			case err != nil:
				if !errors.Is(err, auth.ErrInvalidToken) && !errors.Is(err, auth.ErrUnavailable) || info != nil {
					t.Errorf("got %+v, %v", info, err)
				}
			case info.Issuer != a.URL || info.UserID == "" && info.ClientID == "" || !info.Expiration.After(time.Now().Add(-time.Second)):
				t.Errorf("accepted: %+v", info)
			}
		}
	})
}
