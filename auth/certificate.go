package auth

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// A CertificateVerifier returns what a client certificate says. chain is the verified chain of the
// connection, the client's certificate first. Its error wraps ErrInvalidToken if the certificate is
// not accepted. It may be called from any goroutine.
type CertificateVerifier func(chain []*x509.Certificate) (*TokenInfo, error)

// VerifyRequest calls v with the verified chain of the connection that brought r. Its error wraps
// ErrInvalidToken if the client has sent no certificate, or one that the server has not verified:
// of the client authentication types of crypto/tls only VerifyClientCertIfGiven and
// RequireAndVerifyClientCert verify it.
func (v CertificateVerifier) VerifyRequest(r *http.Request) (*TokenInfo, error) {
	if r == nil || r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil, fmt.Errorf("%w: no verified client certificate", ErrInvalidToken)
	}
	return v(r.TLS.VerifiedChains[0])
}

// A CertificateName says which name of a certificate is the user.
type CertificateName int

const (
	SubjectCommonName CertificateName = iota // the common name of the subject
	FirstURI                                 // the first URI among the alternative names, as of SPIFFE
	FirstDNS                                 // the first DNS name among the alternative names
	FirstEmail                               // the first e-mail address among the alternative names
)

// CertificateOptions configure [CertificateSubject].
type CertificateOptions struct {
	// Name is the name that becomes the UserID. The default is SubjectCommonName.
	Name CertificateName
	// Issuer becomes the Issuer of each TokenInfo. The default is the distinguished name of who has
	// issued the client's certificate, so that a name means somebody else under another authority.
	Issuer string
	// Scopes are what each client with an accepted certificate may do.
	Scopes []string
}

// maxCertificateName is how many bytes the name of a certificate may have.
const maxCertificateName = 1 << 10

// CertificateSubject returns a verifier that takes the user from a name of the client's
// certificate. The TokenInfo expires with the certificate, and its Extra has the SHA-256 thumbprint
// as "x5t#S256" (RFC 8705). A certificate is refused if it has no such name, or one with control
// characters or of more than a kilobyte, or is not valid now; long-lived connections outlive their
// handshake. Whether an authority is trusted is decided by the TLS configuration alone.
//
// Nil opts are the defaults; opts are copied.
func CertificateSubject(opts *CertificateOptions) CertificateVerifier {
	var o CertificateOptions
	if opts != nil {
		o = *opts
		o.Scopes = slices.Clone(opts.Scopes)
	}
	return func(chain []*x509.Certificate) (*TokenInfo, error) {
		if len(chain) == 0 || chain[0] == nil {
			return nil, fmt.Errorf("%w: no verified client certificate", ErrInvalidToken)
		}
		cert := chain[0]
		if now := time.Now(); now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
			return nil, fmt.Errorf("%w: the client certificate is not valid now", ErrInvalidToken)
		}
		name := o.Name.of(cert)
		if name == "" || len(name) > maxCertificateName || !printable(name) {
			return nil, fmt.Errorf("%w: the client certificate has no usable name", ErrInvalidToken)
		}
		info := &TokenInfo{UserID: name, Issuer: o.Issuer, Scopes: o.Scopes, Expiration: cert.NotAfter}
		if info.Issuer == "" {
			info.Issuer = cert.Issuer.String()
		}
		info.Extra = map[string]any{"x5t#S256": thumbprint(cert)}
		return info, nil
	}
}

// of returns the name of cert, or "" if it has no such name.
func (n CertificateName) of(cert *x509.Certificate) string {
	switch {
	case n == SubjectCommonName:
		return cert.Subject.CommonName
	case n == FirstURI && len(cert.URIs) > 0:
		return cert.URIs[0].String()
	case n == FirstDNS && len(cert.DNSNames) > 0:
		return cert.DNSNames[0]
	case n == FirstEmail && len(cert.EmailAddresses) > 0:
		return cert.EmailAddresses[0]
	}
	return ""
}

// printable reports whether s is UTF-8 without control characters.
func printable(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}
