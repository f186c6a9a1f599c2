package auth

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// ProtectedResourceMetadata is the metadata of a protected resource (RFC 9728, section 2), by which
// a client finds the authorization servers that issue tokens for it. MCP needs Resource, which is
// the URL of the MCP endpoint, and at least one of AuthorizationServers.
type ProtectedResourceMetadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers,omitempty"` // their issuer identifiers

	// ScopesSupported should name only what every client needs: some clients ask for all of it.
	ScopesSupported []string `json:"scopes_supported,omitempty"`

	// BearerMethodsSupported says how tokens are sent. MCP has "header" only.
	BearerMethodsSupported []string `json:"bearer_methods_supported,omitempty"`

	JWKSURI                               string   `json:"jwks_uri,omitempty"`
	ResourceSigningAlgValuesSupported     []string `json:"resource_signing_alg_values_supported,omitempty"`
	ResourceName                          string   `json:"resource_name,omitempty"` // for users
	ResourceDocumentation                 string   `json:"resource_documentation,omitempty"`
	ResourcePolicyURI                     string   `json:"resource_policy_uri,omitempty"`
	ResourceTOSURI                        string   `json:"resource_tos_uri,omitempty"`
	TLSClientCertificateBoundAccessTokens bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	AuthorizationDetailsTypesSupported    []string `json:"authorization_details_types_supported,omitempty"`
	DPOPSigningAlgValuesSupported         []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPOPBoundAccessTokensRequired         bool     `json:"dpop_bound_access_tokens_required,omitempty"`

	// SignedMetadata is a JWT with the values above as its claims.
	SignedMetadata string `json:"signed_metadata,omitempty"`
}

// ProtectedResourceMetadataHandler returns a handler that serves metadata as JSON. It belongs to
// the path that RFC 9728, section 3.1, builds by inserting /.well-known/oauth-protected-resource
// between the host and the path of the resource. The metadata is public: the handler allows
// requests from every origin, also with the MCP-Protocol-Version field, which clients send here
// too. Metadata must not be changed while requests are served.
func ProtectedResourceMetadataHandler(metadata *ProtectedResourceMetadata) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		switch r.Method {
		case http.MethodOptions:
			h.Set("Access-Control-Allow-Methods", "GET, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "Content-Type, MCP-Protocol-Version")
			w.WriteHeader(http.StatusNoContent)
			return
		case http.MethodGet, http.MethodHead:
		default:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		body, err := json.Marshal(metadata)
		if err != nil { // no field of the type can fail
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // the client may have disconnected
	})
}
