package issuer

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math/big"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mooring-mcp/mooring/auth/internal/provider"
)

const (
	minRSABits = 2048 // RFC 7518, section 3.3
	maxRSABits = 8192 // what a verification may cost
	// maxTried is how many keys are tried for a token: those without a kid, or with the same.
	maxTried = 4
)

// A key is a public key of an issuer.
type key struct {
	kid, alg string // either may be empty
	public   any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// parseKeys returns the usable keys of a JWK set (RFC 7517), up to limit. It skips what it cannot
// use, such as keys for encryption, of other types, or too weak ones.
func parseKeys(content []byte, limit int) ([]key, error) {
	set, err := provider.Object(content)
	if err != nil {
		return nil, err
	}
	list, ok := set["keys"].([]any)
	if !ok {
		return nil, errors.New("the key set has no keys")
	}
	var keys []key
	for _, v := range list {
		if jwk, ok := v.(map[string]any); ok && len(keys) < limit {
			if k, ok := parseKey(jwk); ok {
				keys = append(keys, k)
			}
		}
	}
	return keys, nil
}

func parseKey(jwk map[string]any) (k key, ok bool) {
	var okKid, okAlg, okUse bool
	var use string
	k.kid, okKid = provider.Text(jwk, "kid")
	k.alg, okAlg = provider.Text(jwk, "alg")
	use, okUse = provider.Text(jwk, "use")
	if !okKid || !okAlg || !okUse || use != "" && use != "sig" {
		return k, false
	}
	if ops, present := jwk["key_ops"]; present {
		if list, _ := ops.([]any); !slices.Contains(list, any("verify")) {
			return k, false
		}
	}
	switch jwk["kty"] {
	case "RSA":
		k.public, ok = rsaKey(jwk)
	case "EC":
		k.public, ok = ecKey(jwk)
	case "OKP":
		x, okX := number(jwk, "x")
		ok = okX && jwk["crv"] == "Ed25519" && len(x) == ed25519.PublicKeySize
		k.public = ed25519.PublicKey(x)
	}
	return k, ok
}

func rsaKey(jwk map[string]any) (*rsa.PublicKey, bool) {
	n, okN := number(jwk, "n")
	e, okE := number(jwk, "e")
	if !okN || !okE || len(n) > maxRSABits/8+1 || len(e) > 4 {
		return nil, false
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	bits := public.N.BitLen()
	odd := public.N.Bit(0) == 1 && public.E&1 == 1
	return public, odd && bits >= minRSABits && bits <= maxRSABits && public.E >= 3 && public.E < 1<<31
}

func ecKey(jwk map[string]any) (*ecdsa.PublicKey, bool) {
	curves := map[any]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	crv, _ := jwk["crv"].(string)
	curve := curves[crv]
	x, okX := number(jwk, "x")
	y, okY := number(jwk, "y")
	if curve == nil || !okX || !okY {
		return nil, false
	}
	if size := (curve.Params().BitSize + 7) / 8; len(x) != size || len(y) != size {
		return nil, false
	}
	// This also checks that the point is on the curve.
	public, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	return public, err == nil
}

func number(jwk map[string]any, name string) ([]byte, bool) {
	text, _ := jwk[name].(string)
	b, err := encoding.DecodeString(text)
	return b, err == nil && len(b) > 0
}

// fits reports whether a token with alg and kid may have been signed with k. Without a kid it may
// have been any key.
func (k *key) fits(alg, kid string) bool {
	if kid != "" && k.kid != kid || k.alg != "" && k.alg != alg {
		return false
	}
	switch m := algorithms[alg].(type) {
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		_, ok := k.public.(*rsa.PublicKey)
		return ok
	case *jwt.SigningMethodECDSA: // which does not look at the curve
		public, ok := k.public.(*ecdsa.PublicKey)
		return ok && public.Curve.Params().BitSize == m.CurveBits
	case *jwt.SigningMethodEd25519:
		_, ok := k.public.(ed25519.PublicKey)
		return ok
	}
	return false
}

// check reports whether one of keys has signed t, and whether there is one that could have.
func check(keys []key, t *signed) (valid, known bool) {
	tried := 0
	for i := range keys {
		if tried == maxTried || !keys[i].fits(t.alg, t.kid) {
			continue
		}
		tried++
		if algorithms[t.alg].Verify(t.input, t.signature, keys[i].public) == nil {
			return true, true
		}
	}
	return false, tried > 0
}
