package server

import (
	"slices"
	"strings"

	"github.com/mooring-mcp/mooring/internal/bearer"
	"github.com/mooring-mcp/mooring/mcp"
)

// Scopes say which scopes of OAuth the token of a caller needs for which operation.
//
// The keys of Methods are names of methods, such as "tools/call", those of the other maps names of
// tools, URIs of resources (or texts of templates, for completion) and names of prompts. A key that
// ends with * stands for all names that begin with the rest. An operation needs the scopes of its
// method and of every key that its name matches, all of them together; if none match, it needs
// none. A request that names several resources needs the scopes of all. So does a batch: if one
// message in it is refused, none is served.
//
// The scopes are those of auth.TokenInfo. A request that lacks one gets 403 with error
// insufficient_scope, and the scopes that it needs, in WWW-Authenticate: see RFC 6750. On earlier
// revisions the challenge also has the scopes that the token has, because their clients ask for
// exactly what a challenge names. A request without a token gets 401: see Anonymous.
//
// The decision is made when a message is decoded and before anything is done for it, by the name
// that the client sent: what middleware makes of it is not looked at again. Names in lists are not
// left out for lack of scopes: see mcp.ServerOptions.Visible.
//
// Features that are forwarded to an upstream may need scopes in addition: those of mcp.Forwarded
// and mcp.ForwardedFeature. They are enforced in the same way, even if Options.Scopes is nil.
type Scopes struct {
	Methods, Tools, Resources, Prompts map[string][]string
	// Implies has the scopes that include others: a token with the key has all scopes of its value,
	// and what these imply in turn.
	Implies map[string][]string
	// Anonymous exempts callers without a token from all of this.
	Anonymous bool
	// ResourceMetadataURL is the absolute URL of the protected resource metadata (RFC 9728), for
	// the challenges.
	ResourceMetadataURL string
}

// fault returns why o cannot work, or nil.
func (o *Scopes) fault() *OptionError {
	if o == nil {
		return nil
	}
	for _, m := range []struct {
		name  string
		rules map[string][]string
	}{{"Methods", o.Methods}, {"Tools", o.Tools}, {"Resources", o.Resources}, {"Prompts", o.Prompts}, {"Implies", o.Implies}} {
		for key, scopes := range m.rules {
			if key == "" || m.name == "Implies" && !bearer.IsScope(key) {
				return &OptionError{"Scopes." + m.name, key, "is not a name"}
			}
			for _, s := range scopes {
				if !bearer.IsScope(s) {
					return &OptionError{"Scopes." + m.name, s, "is not a scope (RFC 6749 section 3.3)"}
				}
			}
		}
	}
	if u := o.ResourceMetadataURL; strings.ContainsAny(u, "\"\\") || !isTarget(u) {
		return &OptionError{"Scopes.ResourceMetadataURL", u, "is not a URL"}
	}
	return nil
}

// scopeRules are Scopes in the form in which they are looked up. They are immutable.
type scopeRules struct {
	anonymous bool
	metadata  string
	methods   ruleSet
	targets   [3]ruleSet // by mcp.TargetKind
	givers    map[string][]string
}

// newScopeRules returns the rules of o, nil if there are none.
func newScopeRules(o *Scopes) *scopeRules {
	if o == nil {
		return nil
	}
	givers := giversOf(o.Implies)
	r := &scopeRules{anonymous: o.Anonymous, metadata: o.ResourceMetadataURL, givers: givers}
	r.methods = newRuleSet(o.Methods, givers, nil)
	r.targets[mcp.TargetTool] = newRuleSet(o.Tools, givers, nil)
	r.targets[mcp.TargetResource] = newRuleSet(o.Resources, givers, mcp.NormalURI)
	r.targets[mcp.TargetPrompt] = newRuleSet(o.Prompts, givers, nil)
	return r
}

// giversOf returns, for each scope that others include, those others.
func giversOf(implies map[string][]string) map[string][]string {
	givers := make(map[string][]string)
	for scope := range implies {
		seen := map[string]bool{scope: true}
		for todo := []string{scope}; len(todo) > 0; {
			next := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, s := range implies[next] {
				if !seen[s] {
					seen[s] = true
					givers[s] = append(givers[s], scope)
					todo = append(todo, s)
				}
			}
		}
	}
	return givers
}

// A need is a scope that an operation needs.
type need struct {
	scope string
	by    []string // the scopes that include it, itself first
}

func (n *need) met(granted []string) bool {
	for _, g := range granted {
		if slices.Contains(n.by, g) {
			return true
		}
	}
	return false
}

// A ruleSet has what names need.
type ruleSet struct {
	exact    map[string][]need
	prefixes []prefixRule
}

// A prefixRule has what all names with a prefix need.
type prefixRule struct {
	prefix string
	needs  []need
}

// newRuleSet returns the rules of m. Keys are compared as normal returns them; nil means as they
// are.
func newRuleSet(m map[string][]string, givers map[string][]string, normal func(string) string) ruleSet {
	set := ruleSet{exact: make(map[string][]need)}
	for key, scopes := range m {
		prefix, isPrefix := strings.CutSuffix(key, "*")
		if normal != nil {
			prefix = normal(prefix)
		}
		var needs []need
		for _, s := range scopes {
			needs = append(needs, need{s, append([]string{s}, givers[s]...)})
		}
		if isPrefix {
			set.prefixes = append(set.prefixes, prefixRule{prefix, needs})
		} else {
			set.exact[prefix] = append(set.exact[prefix], needs...)
		}
	}
	slices.SortFunc(set.prefixes, func(a, b prefixRule) int { return strings.Compare(a.prefix, b.prefix) })
	return set
}

// empty reports whether the set needs nothing for any name.
func (set *ruleSet) empty() bool { return len(set.exact) == 0 && len(set.prefixes) == 0 }

// allows reports whether the granted scopes are enough for a name.
func (set *ruleSet) allows(name []byte, granted []string) bool {
	if needs := set.exact[string(name)]; !allMet(needs, granted) {
		return false
	}
	for i := range set.prefixes {
		if p := &set.prefixes[i]; hasPrefix(name, p.prefix) && !allMet(p.needs, granted) {
			return false
		}
	}
	return true
}

// of appends the scopes that a name needs.
func (set *ruleSet) of(scopes []string, name []byte) []string {
	add := func(needs []need) {
		for i := range needs {
			if !slices.Contains(scopes, needs[i].scope) {
				scopes = append(scopes, needs[i].scope)
			}
		}
	}
	for i := range set.prefixes {
		if p := &set.prefixes[i]; hasPrefix(name, p.prefix) {
			add(p.needs)
		}
	}
	add(set.exact[string(name)])
	return scopes
}

func allMet(needs []need, granted []string) bool {
	for i := range needs {
		if !needs[i].met(granted) {
			return false
		}
	}
	return true
}

func hasPrefix(name []byte, prefix string) bool {
	return len(name) >= len(prefix) && string(name[:len(prefix)]) == prefix
}

// allowsUpstream reports whether who has the scopes that the upstreams need whose features a
// prepared call names. r may be nil.
func (r *scopeRules) allowsUpstream(call *mcp.Call, who *identity) bool {
	if !call.Scoped() || who == nil && r != nil && r.anonymous {
		return true
	}
	var granted []string
	if who != nil {
		granted = who.info.Scopes
	}
	return call.Scopes(func(scope string) bool {
		if slices.Contains(granted, scope) {
			return true
		}
		return r != nil && slices.ContainsFunc(r.givers[scope], func(s string) bool { return slices.Contains(granted, s) })
	})
}

// allows reports whether who may do what a prepared call asks for. r may be nil.
func (r *scopeRules) allows(call *mcp.Call, who *identity) bool {
	if r == nil || call.Kind() == mcp.CallAnswer {
		return true
	}
	var granted []string
	if who != nil {
		granted = who.info.Scopes
	} else if r.anonymous {
		return true
	}
	if !r.methods.empty() && !r.methods.allows([]byte(call.MethodName()), granted) {
		return false
	}
	return call.Targets(func(kind mcp.TargetKind, name []byte) bool {
		return r.targets[kind].allows(name, granted)
	})
}

// needs returns the scopes that a prepared call needs. r may be nil.
func (r *scopeRules) needs(call *mcp.Call) (scopes []string) {
	if r != nil {
		scopes = r.methods.of(nil, []byte(call.MethodName()))
		call.Targets(func(kind mcp.TargetKind, name []byte) bool {
			scopes = r.targets[kind].of(scopes, name)
			return true
		})
	}
	call.Scopes(func(scope string) bool {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
		return true
	})
	return scopes
}
