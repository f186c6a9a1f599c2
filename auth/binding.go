package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/mooring-mcp/mooring/internal/bearer"
)

// ErrBound is why a token that is bound to a key (cnf, RFC 7800) is not accepted: the client has
// not proved that it has the key, or cannot, because of all bindings only that to a client
// certificate (RFC 8705) is known. An error that wraps it wraps ErrInvalidToken too.
var ErrBound = errors.New("bound to a key")

// CheckBinding returns an error, which wraps ErrInvalidToken and ErrBound, if the token is bound to
// a certificate (TokenInfo.CertificateThumbprint) and the client of the connection that has brought
// r has not proved by its handshake that it has that one. RequireBearerToken and the server call it
// for each request, and so do the verifiers of this module. A host that keeps what a verifier has
// returned must call it before it uses that for another request.
//
// It returns nil if ctx is one that the server gives to its verifier: a verdict of that holds for
// whoever brings the token, and the server checks each request.
func CheckBinding(ctx context.Context, ti *TokenInfo, r *http.Request) error {
	if ti.CertificateThumbprint == "" || bearer.IsWithoutBinding(ctx) {
		return nil
	}
	if r != nil && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		if got := thumbprint(r.TLS.PeerCertificates[0]); subtle.ConstantTimeCompare([]byte(got), []byte(ti.CertificateThumbprint)) == 1 {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", ErrInvalidToken, ErrBound)
}

// thumbprint returns the SHA-256 thumbprint of cert, as RFC 8705 writes it.
func thumbprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
