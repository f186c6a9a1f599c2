package issuer_test

import (
	"context"
	"fmt"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/auth/issuer"
)

// A verifier of the tokens of two issuers, one of which names an application and not the resource
// as the audience. Nothing is requested before the first token of an issuer comes.
func ExampleNew() {
	v, err := issuer.New(issuer.Options{Issuers: []issuer.Issuer{
		{URL: "https://id.example.com/realms/staff", Audiences: []string{"https://mcp.example.com/mcp"}},
		{URL: "https://login.example.com/tenant/v2.0", Audiences: []string{"6d1f2f5e-0a3c-4c0e-9a36-5b8f6f0f2a11"}, Algorithms: []string{"RS256"}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	var verify auth.TokenVerifier = v.Verify // for server.Authentication or auth.RequireBearerToken
	_, err = verify(context.Background(), "not.a.token", nil)
	fmt.Println(err)
	// Output:
	// invalid token: not three parts of base64url
}
