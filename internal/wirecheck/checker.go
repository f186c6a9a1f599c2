package wirecheck

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/goccy/go-json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// SchemaDir is the environment variable that names the directory of the schemas.
const SchemaDir = "MOORING_SCHEMA_DIR"

// A Checker checks messages against the schemas. Its methods may be called from any goroutine. A
// Checker without schemas accepts everything.
type Checker struct {
	dir string

	mu        sync.Mutex
	revisions map[string]*revision // guarded by mu
}

// Open returns a checker for the schemas that the environment names. Without the variable it logs
// that the check is skipped and returns a checker that accepts everything.
func Open(tb testing.TB) *Checker {
	tb.Helper()
	dir := os.Getenv(SchemaDir)
	if dir == "" {
		tb.Logf("schema check skipped: %s is not set", SchemaDir)
		return &Checker{}
	}
	if _, err := os.Stat(dir); err != nil {
		tb.Fatalf("%s: %v", SchemaDir, err)
	}
	return &Checker{dir: dir, revisions: make(map[string]*revision)}
}

// Enabled reports whether the checker has schemas.
func (c *Checker) Enabled() bool { return c.dir != "" }

// Message fails the test, without ending it, if msg is not what a server of the revision may send.
// requestMethod is the method of the request that msg belongs to: a response is checked as its
// result. It may be "" for other messages.
func (c *Checker) Message(tb testing.TB, rev, requestMethod string, msg []byte) {
	tb.Helper()
	if err := c.Check(rev, requestMethod, msg); err != nil {
		tb.Errorf("message is not valid in %s (answering %q): %v\n%s", rev, requestMethod, err, msg)
	}
}

// Check is Message for callers that handle the error themselves.
func (c *Checker) Check(rev, requestMethod string, msg []byte) error {
	if !c.Enabled() {
		return nil
	}
	r, err := c.revision(rev)
	if err != nil {
		return err
	}
	// IsValid refuses trailing bytes, duplicate members and invalid UTF-8, which the schema library
	// would accept.
	if !jsontext.Value(msg).IsValid() {
		return fmt.Errorf("not strict JSON")
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(msg))
	if err != nil {
		return err
	}
	if batch, ok := doc.([]any); ok && r.has("JSONRPCBatchResponse") {
		for _, m := range batch {
			if err := r.message(requestMethod, m); err != nil {
				return err
			}
		}
		return nil
	}
	return r.message(requestMethod, doc)
}

func (c *Checker) revision(rev string) (*revision, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.revisions[rev]; r != nil {
		return r, nil
	}
	f, err := os.Open(filepath.Join(c.dir, filepath.Base(rev)+".json"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", rev, err)
	}
	r, err := newRevision(rev, doc)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", rev, err)
	}
	c.revisions[rev] = r
	return r, nil
}
