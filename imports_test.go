// Package mooring_test checks what concerns the module as a whole, such as which package may import
// which.
package mooring_test

import (
	"cmp"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/mooring-mcp/mooring"

// A room says what the packages of one folder, and of the folders below it without a rule of their
// own, may import in addition to the standard library and each other. Paths end where a path
// element ends: "mcp" covers "mcp/internal/uritemplate".
type room struct {
	dir    string
	own    []string // folders of this module
	third  []string // other modules' packages
	not    []string // standard packages that do not belong here
	inTest []string // additional imports of its _test.go files
}

const (
	goJSON   = "github.com/goccy/go-json"
	gnet     = "github.com/panjf2000/gnet/v2"
	judge    = "github.com/santhosh-tekuri/jsonschema/v6"
	cobra    = "github.com/spf13/cobra"
	yaml     = "github.com/goccy/go-yaml"
	goSys    = "golang.org/x/sys"
	hdr      = "github.com/HdrHistogram/hdrhistogram-go"
	jwt      = "github.com/golang-jwt/jwt/v5"
	byteBufs = "github.com/valyala/bytebufferpool"
)

// wirecheck checks messages against the official schemas; it is for tests alone.
const wirecheck = "internal/wirecheck"

// sockdiag counts the kernel's sockets, for tests and for the benchmark suite.
const sockdiag = "internal/sockdiag"

// seal is what mcp seals states and server sealed sessions with.
const seal = "internal/seal"

// bearer has the rules for bearer tokens that auth and server share.
const bearer = "internal/bearer"

// testTools may be imported by any _test.go file.
var testTools = [...]string{"go.uber.org/goleak", "github.com/google/go-cmp", "pgregory.net/rapid", goSys, module + "/" + wirecheck, module + "/" + sockdiag}

// sockets are standard packages that open sockets. Only some folders may import them.
var sockets = []string{"net", "net/http", "crypto/tls", "syscall"}

// rooms are the arrows of ARCHITECTURE.md, section 1. A folder that no rule covers fails the test:
// a new room begins with its rule.
var rooms = [...]room{
	{dir: ".", inTest: []string{yaml}},
	{dir: "httpparse", not: sockets},
	{dir: "sse", not: sockets},
	{dir: "jsonrpc", not: sockets, inTest: []string{goJSON}},
	{dir: seal, not: sockets},
	{dir: bearer, not: sockets},
	{dir: "auth", own: []string{bearer}, not: []string{"crypto/tls", "syscall"}},
	{dir: "auth/issuer", own: []string{"auth"}, third: []string{jwt}, not: []string{"crypto/tls", "syscall"}},
	// Of net/http mcp has http.Header, which a handler is given, and the http.Client of its own
	// client, which also reads event streams. Its servers open no sockets.
	{dir: "mcp", own: []string{"auth", "jsonrpc", "sse", seal}, third: []string{goJSON}, not: []string{"net", "crypto/tls", "syscall"}},
	{dir: "mcp/internal/schema", third: []string{goJSON, judge, "github.com/google/jsonschema-go", "golang.org/x/text"}, not: sockets},
	{dir: wirecheck, third: []string{judge, goJSON}},
	{dir: sockdiag, third: []string{goSys}},
	{dir: "server", own: []string{bearer, "auth", "httpparse", "sse", "jsonrpc", "mcp", seal}, inTest: []string{goJSON, gnet}},
	{dir: "server/internal/buffers", third: []string{byteBufs}, not: sockets},
	{dir: "server/internal/engine", third: []string{goSys}},
	{dir: "server/internal/engine/enginetest", own: []string{"server/internal/engine"}, third: []string{goSys}},
	{dir: "server/internal/engine/epollengine", own: []string{"server/internal/engine", "server/internal/buffers"}, third: []string{goSys}, inTest: []string{"server/internal/engine/enginetest"}},
	{dir: "server/internal/engine/gnetengine", own: []string{"server/internal/engine"}, third: []string{gnet}, inTest: []string{"server/internal/engine/enginetest"}},
	{dir: "server/internal/rejoin"},
	{dir: "server/internal/forwarded", not: sockets},
	{dir: "server/internal/proxyproto", not: []string{"net/http", "crypto/tls", "syscall"}},
	{dir: "server/internal/wheel", not: sockets},
	{dir: "server/internal/quota", not: sockets},
	{dir: "server/internal/endpoint", own: []string{"httpparse", "jsonrpc"}, not: []string{"syscall", "crypto/tls"}},
	{dir: "server/internal/session", own: []string{"mcp", seal, "server/internal/wheel"}, not: sockets},
	{dir: "server/admin", own: []string{"server"}, third: []string{"github.com/prometheus/client_golang"}, inTest: []string{"mcp"}},
	{dir: "server/certs", not: []string{"net", "net/http", "syscall"}, inTest: []string{"server", "mcp"}},
	{dir: "bench", own: []string{"sse", "jsonrpc", sockdiag}, third: []string{goJSON, goSys, hdr}, inTest: []string{judge}},
	{dir: "cmd/mooring", own: []string{"auth", "auth/issuer", "gateway", "server/certs", "server", "server/admin", "mcp", "jsonrpc"}, third: []string{cobra, yaml, goSys}},
	{dir: "cmd/mooring-conformance", own: []string{"auth", "auth/issuer", "server", "mcp", "jsonrpc"}, third: []string{cobra, jwt}},
	// An example imports what any user of the library has.
	{dir: "examples", own: []string{"auth", "mcp", "mcptest", "server"}},
	// The gateway reaches upstreams over net/http and pipes, off the loops; its clients come through
	// server, which the host runs.
	{dir: "gateway", own: []string{"auth", "jsonrpc", "mcp", "sse", seal}, third: []string{goSys, yaml}, not: []string{"crypto/tls"}, inTest: []string{"server", "mcptest", "internal/sockdiag"}},
	{dir: "gateway/internal/link", not: sockets},
	{dir: "gateway/internal/names", not: sockets},
	{dir: "gateway/internal/config", own: []string{"gateway/internal/names"}, not: sockets},
	{dir: "gateway/internal/upstream", own: []string{"jsonrpc", "gateway/internal/link"}, not: sockets},
	{dir: "gateway/internal/child", own: []string{"jsonrpc", "gateway/internal/link"}, third: []string{goSys}, not: []string{"net", "net/http", "crypto/tls"}},
	{dir: "mcptest", own: []string{"auth", "jsonrpc", "mcp", "server"}, third: []string{goJSON}},
	{dir: "test/mux", own: []string{"cmd/mooring", "mcp", "server"}},
	{dir: "cmd/mooring-bench", own: []string{"bench"}, third: []string{cobra, "github.com/spf13/pflag"}},
}

func TestImports(t *testing.T) {
	seen := map[string]int{}
	for _, imp := range imports(t) {
		dir := path.Dir(imp.file)
		seen[dir]++
		if _, ok := roomOf(dir); !ok {
			if seen[dir] == 1 {
				t.Errorf("no rule says what %s may import", dir)
			}
			continue
		}
		if err := check(imp); err != nil {
			t.Errorf("%s: %v", imp.file, err)
		}
	}
	for _, dir := range []string{"httpparse", "sse", "jsonrpc", "mcp", "server"} {
		if seen[dir] == 0 {
			t.Errorf("no import seen in %s: the test looks in the wrong place", dir)
		}
	}
}

// TestImportRules checks the rules themselves, so that no arrow gets lost when the table changes.
func TestImportRules(t *testing.T) {
	for _, tt := range []struct {
		file, path string
		ok         bool
	}{
		{"httpparse/parse.go", "bytes", true},
		{"httpparse/parse.go", goJSON, false},
		{"httpparse/parse.go", module + "/sse", false},
		{"httpparse/parse_test.go", module + "/jsonrpc", false},
		{"httpparse/parse_test.go", "pgregory.net/rapid", true},
		{"httpparse/parse.go", "pgregory.net/rapid", false},
		{"httpparse/parse.go", "net/http", false},
		{"httpparse/parse_test.go", "net/http", true},
		{"sse/event.go", goJSON + "/jsontext", false},
		{"jsonrpc/decode.go", goJSON + "/jsontext", false},
		{"jsonrpc/oracle_test.go", goJSON + "/jsontext", true},
		{"jsonrpc/decode.go", goJSON + "er", false},
		{"jsonrpc/decode.go", module + "/mcp", false},
		{"auth/bearer.go", jwt, false},
		{"auth/bearer.go", module + "/auth/issuer", false},
		{"auth/introspection.go", module + "/auth/internal/provider", true},
		{"auth/issuer/token.go", jwt, true},
		{"auth/issuer/token.go", module + "/server", false},
		{"auth/issuer/source.go", module + "/auth/internal/provider", true},
		{"server/host.go", module + "/auth/issuer", false},
		{"mcp/call.go", module + "/jsonrpc", true},
		{"mcp/call.go", module + "/mcp/internal/schema", true},
		{"mcp/call.go", module + "/server", false},
		{"mcp/call_test.go", module + "/server", false},
		{"mcp/client_stream.go", module + "/sse", true},
		{"mcp/call.go", module + "/httpparse", false},
		{"mcp/call.go", judge, false},
		{"mcp/call.go", gnet, false},
		{"mcp/call.go", "net", false},
		{"mcp/internal/schema/compile.go", judge, true},
		{"mcp/server.go", module + "/" + seal, true},
		{"server/internal/session/ticket.go", module + "/" + seal, true},
		{"server/internal/session/table.go", module + "/mcp", true},
		{"server/internal/session/table.go", module + "/server", false},
		{"server/internal/session/table.go", module + "/server/internal/engine", false},
		{"server/internal/session/table.go", module + "/server/internal/endpoint", false},
		{"server/internal/session/table_test.go", module + "/server", false},
		{"server/internal/session/table.go", gnet, false},
		{"server/internal/session/table.go", "net", false},
		{"server/legacy.go", module + "/server/internal/session", true},
		{"server/admin/admin.go", module + "/server/internal/session", false},
		{"jsonrpc/decode.go", module + "/" + seal, false},
		{"auth/bearer.go", module + "/" + bearer, true},
		{"server/authentication.go", module + "/" + bearer, true},
		{"mcp/call.go", module + "/" + bearer, false},
		{"internal/seal/seal.go", module + "/mcp", false},
		{"server/host.go", gnet, false},
		{"server/host.go", goSys + "/unix", false},
		{"server/host.go", byteBufs, false},
		{"server/host.go", module + "/server/internal/engine/gnetengine", true},
		{"server/storm_proof_test.go", gnet, true},
		{"server/internal/engine/admit.go", module + "/server", false},
		{"server/internal/engine/admit.go", module + "/server/internal/wheel", false},
		{"server/internal/engine/admit.go", module + "/server/internal/engine/gnetengine", false},
		{"server/internal/engine/admit.go", module + "/mcp", false},
		{"server/internal/engine/admit.go", gnet, false},
		{"server/internal/engine/sockopt.go", goSys + "/unix", true},
		{"server/internal/engine/gnetengine/engine.go", gnet + "/pkg/logging", true},
		{"server/internal/engine/gnetengine/engine.go", goSys + "/unix", false},
		{"server/internal/engine/gnetengine/engine.go", module + "/server/internal/engine/enginetest", false},
		{"server/internal/engine/gnetengine/engine_test.go", module + "/server/internal/engine/enginetest", true},
		{"server/internal/engine/gnetengine/engine.go", module + "/server/internal/engine/epollengine", false},
		{"server/internal/engine/epollengine/loop_linux.go", goSys + "/unix", true},
		{"server/internal/engine/epollengine/loop_linux.go", gnet, false},
		{"server/internal/engine/epollengine/loop_linux.go", module + "/httpparse", false},
		{"server/engine.go", module + "/server/admin", false},
		{"server/engine.go", module + "/bench", false},
		{"server/engine.go", module + "/" + wirecheck, false},
		{"server/engine_test.go", module + "/" + wirecheck, true},
		{"mcp/call_test.go", module + "/" + wirecheck, true},
		{"server/loop.go", module + "/server/internal/wheel", true},
		{"server/internal/rejoin/server.go", "net/http", true},
		{"server/internal/rejoin/server.go", module + "/server", false},
		{"server/internal/rejoin/server.go", module + "/server/internal/engine", false},
		{"server/internal/proxyproto/parse.go", module + "/server", false},
		{"server/internal/forwarded/forwarded.go", module + "/server", false},
		{"server/internal/forwarded/forwarded.go", "net", false},
		{"server/internal/proxyproto/listener.go", "net", true},
		{"server/internal/proxyproto/listener.go", "net/http", false},
		{"server/internal/wheel/wheel.go", module + "/server", false},
		{"server/internal/wheel/wheel.go", "net", false},
		{"server/internal/endpoint/policy.go", module + "/httpparse", true},
		{"server/internal/endpoint/policy.go", module + "/server/internal/wheel", false},
		{"server/internal/endpoint/policy.go", module + "/server", false},
		{"server/admin/admin.go", "net/http", true},
		{"server/admin/admin.go", gnet, false},
		{"server/certs/certs.go", "crypto/tls", true},
		{"server/certs/certs.go", module + "/server", false},
		{"server/tls.go", module + "/server/certs", false},
		{"bench/load.go", module + "/sse", true},
		{"bench/load.go", module + "/server", false},
		{"bench/load_test.go", module + "/server", false},
		{"bench/load.go", gnet, false},
		{"cmd/mooring/main.go", module + "/server/admin", true},
		{"cmd/mooring/main.go", gnet, false},
		{"cmd/mooring-bench/main.go", module + "/server", false},
		{"cmd/mooring-bench/main.go", module + "/bench", true},
		{"examples/hello/main.go", module + "/server", true},
		{"examples/hello/main.go", "net/http", true},
		{"examples/hello/main.go", module + "/jsonrpc", false},
		{"examples/hello/main.go", module + "/server/admin", false},
		{"examples/hello/main.go", cobra, false},
		{"examples/examples_test.go", module + "/bench", false},
		{"gateway/internal/names/names.go", module + "/mcp", false},
		{"gateway/internal/names/names.go", module + "/gateway", false},
		{"gateway/internal/names/names.go", "net/http", false},
		{"gateway/gateway.go", module + "/gateway/internal/names", true},
		{"gateway/internal/config/file.go", module + "/gateway/internal/names", true},
		{"gateway/internal/config/file.go", module + "/gateway/internal/link", false},
		{"gateway/internal/config/file.go", goJSON, false},
		{"gateway/internal/config/file.go", "net/http", false},
		{"server/host.go", module + "/gateway/internal/names", false},
		{"attic/old.go", "fmt", false},
	} {
		if err := check(imported{file: tt.file, path: tt.path}); (err == nil) != tt.ok {
			t.Errorf("%s imports %s: got %v, want allowed %t", tt.file, tt.path, err, tt.ok)
		}
	}
}

// imported is one import of one file; both paths use slashes, and file is relative to the module's
// root.
type imported struct{ file, path string }

// check returns why the import is not allowed, or nil.
func check(imp imported) error {
	dir := path.Dir(imp.file)
	r, ok := roomOf(dir)
	if !ok {
		return fmt.Errorf("no rule says what %s may import", dir)
	}
	allowed := slices.Clone(r.third)
	for _, own := range r.own {
		allowed = append(allowed, module+"/"+own)
	}
	if isTest := strings.HasSuffix(imp.file, "_test.go"); isTest {
		allowed = append(allowed, testTools[:]...)
		for _, extra := range r.inTest {
			allowed = append(allowed, extra, module+"/"+extra)
		}
	} else if slices.Contains(r.not, imp.path) {
		return fmt.Errorf("%s does not belong in %s", imp.path, r.dir)
	}
	switch {
	case isStandard(imp.path):
		return nil
	case within(imp.path, module):
		return r.checkOwn(imp.path, allowed)
	case slices.ContainsFunc(allowed, func(p string) bool { return within(imp.path, p) }):
		return nil
	}
	return fmt.Errorf("%s may not import %s", r.dir, imp.path)
}

// checkOwn judges an import from this module. A room with a rule of its own must be named: "server"
// does not admit "server/admin", while "mcp" admits itself and what lies below it.
func (r room) checkOwn(pkg string, allowed []string) error {
	dir := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
	target, ok := roomOf(cmp.Or(dir, "."))
	if !ok {
		return fmt.Errorf("no rule covers %s", pkg)
	}
	same := target.dir == r.dir
	below := strings.HasPrefix(target.dir, r.dir+"/internal/")
	if same || below || slices.Contains(allowed, module+"/"+target.dir) {
		return nil
	}
	return fmt.Errorf("%s may not import %s", r.dir, pkg)
}

// roomOf returns the rule with the longest folder that covers dir.
func roomOf(dir string) (best room, ok bool) {
	for _, r := range rooms {
		if (dir == r.dir || r.dir != "." && within(dir, r.dir)) && len(r.dir) >= len(best.dir) {
			best, ok = r, true
		}
	}
	return best, ok
}

// within reports whether p is root or lies below it.
func within(p, root string) bool {
	return p == root || strings.HasPrefix(p, root+"/")
}

// isStandard reports whether p is of the standard library: its first element has no dot.
func isStandard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

// imports returns every import of every Go file of the module, whatever its build constraints.
func imports(t *testing.T) []imported {
	t.Helper()
	var list []imported
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipDir(name)
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			list = append(list, imported{file: filepath.ToSlash(name), path: p})
		}
		return nil
	})
	if err != nil {
		t.Fatalf("reading the module's imports: %v", err)
	}
	return list
}

// skipDir leaves out what the go command leaves out, and modules of their own.
func skipDir(name string) error {
	if name == "." {
		return nil
	}
	base := filepath.Base(name)
	if base == "testdata" || base == "vendor" || base == "node_modules" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}
