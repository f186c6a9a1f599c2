package issuer

import (
	_ "crypto/sha256" // the hashes of the algorithms below
	_ "crypto/sha512"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/auth/internal/provider"
)

// algorithms are those that a token may have. All of them are asymmetric.
var algorithms = map[string]jwt.SigningMethod{
	"RS256": jwt.SigningMethodRS256, "RS384": jwt.SigningMethodRS384, "RS512": jwt.SigningMethodRS512,
	"PS256": jwt.SigningMethodPS256, "PS384": jwt.SigningMethodPS384, "PS512": jwt.SigningMethodPS512,
	"ES256": jwt.SigningMethodES256, "ES384": jwt.SigningMethodES384, "ES512": jwt.SigningMethodES512,
	"EdDSA": jwt.SigningMethodEdDSA,
}

var (
	errSize      = errors.New("too large")
	errParts     = errors.New("not three parts of base64url")
	errHead      = errors.New("the head is malformed")
	errClaims    = errors.New("the claims are malformed")
	errAlgorithm = errors.New("the algorithm is not accepted")
	errType      = errors.New("not of the type of access tokens")
	errCritical  = errors.New("it demands an extension")
	errIssuer    = errors.New("of an issuer that is not accepted")
	errAudience  = errors.New("for another audience")
	errExpired   = errors.New("expired, or without expiration")
	errEarly     = errors.New("not valid yet")
	errNobody    = errors.New("it names neither a subject nor a client")
	errSignature = errors.New("none of the issuer's keys has signed it")
)

// A signed is a token that has been decoded. Nothing of it is to be believed yet.
type signed struct {
	alg, kid  string
	claims    map[string]any
	input     string // what is signed
	signature []byte
}

var encoding = base64.RawURLEncoding.Strict()

// parse decodes token. It accepts the compact serialization only, to the letter of RFC 7515.
func parse(token string, limit int) (*signed, error) {
	if len(token) > limit {
		return nil, errSize
	}
	parts := strings.SplitN(token, ".", 4)
	if len(parts) != 3 {
		return nil, errParts
	}
	var raw [3][]byte
	for i, part := range parts {
		if part == "" || strings.ContainsAny(part, "\r\n") { // which the decoder would skip
			return nil, errParts
		}
		var err error
		if raw[i], err = encoding.DecodeString(part); err != nil {
			return nil, errParts
		}
	}
	head, err := provider.Object(raw[0])
	if err != nil {
		return nil, errHead
	}
	t := &signed{input: token[:len(parts[0])+1+len(parts[1])], signature: raw[2]}
	if err := t.readHead(head); err != nil {
		return nil, err
	}
	if t.claims, err = provider.Object(raw[1]); err != nil {
		return nil, errClaims
	}
	return t, nil
}

func (t *signed) readHead(head map[string]any) error {
	t.alg, _ = head["alg"].(string)
	if _, ok := algorithms[t.alg]; !ok {
		return errAlgorithm
	}
	if _, ok := head["crit"]; ok {
		return errCritical
	}
	if typ, ok := head["typ"]; ok {
		name, _ := typ.(string)
		name = strings.TrimPrefix(strings.ToLower(name), "application/")
		if name != "at+jwt" && name != "jwt" {
			return errType
		}
	}
	if kid, ok := head["kid"]; ok {
		if t.kid, _ = kid.(string); t.kid == "" {
			return errHead
		}
	}
	return nil
}

// judge returns what the claims say, if they are valid now at this issuer.
func (t *signed) judge(is *Issuer, skew time.Duration, now time.Time) (*auth.TokenInfo, error) {
	exp, ok := provider.Time(t.claims["exp"])
	if !ok || !now.Before(exp.Add(skew)) {
		return nil, errExpired
	}
	for _, name := range [...]string{"nbf", "iat"} {
		if v, present := t.claims[name]; present {
			if begin, ok := provider.Time(v); !ok || now.Add(skew).Before(begin) {
				return nil, errEarly
			}
		}
	}
	aud, ok := provider.Audience(t.claims)
	if !ok || !slices.ContainsFunc(aud, func(s string) bool { return slices.Contains(is.Audiences, s) }) {
		return nil, errAudience
	}
	bound, ok := provider.Confirmation(t.claims)
	if !ok {
		return nil, auth.ErrBound
	}
	info := &auth.TokenInfo{Expiration: exp, Issuer: is.URL, CertificateThumbprint: bound, Extra: t.claims}
	var oks [5]bool
	var azp string
	var scp []string
	info.UserID, oks[0] = provider.Text(t.claims, "sub")
	info.ClientID, oks[1] = provider.Text(t.claims, "client_id")
	azp, oks[2] = provider.Text(t.claims, "azp")
	info.Scopes, oks[3] = provider.Scopes(t.claims, "scope")
	scp, oks[4] = provider.Scopes(t.claims, "scp")
	if oks != [5]bool{true, true, true, true, true} {
		return nil, errClaims
	}
	if info.ClientID == "" {
		info.ClientID = azp
	}
	if t.claims["scope"] == nil {
		info.Scopes = scp
	}
	if info.UserID == "" && info.ClientID == "" {
		return nil, errNobody
	}
	return info, nil
}
