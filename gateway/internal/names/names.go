package names

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync"
)

const (
	// MaxServer is the longest name of an upstream. With it, an advertised name always has room for
	// the whole prefix and for a suffix.
	MaxServer = 64
	// MaxAdvertised is the longest advertised name: what the specification of tools allows.
	MaxAdvertised = 128
	// LongForClients is the length from which some clients fail. They put a prefix of their own in
	// front, such as mcp__gateway__, and their models accept 64 characters.
	LongForClients = 64
	separator      = "__"
)

// A suffix is _x and this many characters of base32, 65 bits of a hash. A name of an upstream that
// ends like that gets a suffix too, so that no name with a suffix is a name without one.
const suffixHash = 13

var hashAlphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// CheckServer returns why an upstream cannot have this name, or nil. The name is part of a path and
// of advertised names. Without __ and an underscore at the end, it ends at the first __ of an
// advertised name: no two upstreams can have a name in common.
func CheckServer(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > MaxServer:
		return errors.New("the name is longer than 64 characters")
	case !isName(name):
		return errors.New("a name has letters and digits of ASCII, and . _ - between them")
	case strings.Contains(name, separator):
		return errors.New("a name cannot contain __, which ends it in the names of tools")
	case !isAlnum(name[0]) || !isAlnum(name[len(name)-1]):
		return errors.New("a name begins and ends with a letter or digit")
	}
	return nil
}

// Advertised returns the name that a feature of an upstream has on the path of all upstreams. It
// depends on nothing else. Different pairs have different names: the separator tells upstreams with
// names that CheckServer accepts apart, and a suffix of 65 bits those names that had to be changed
// because they are too long or have characters that clients refuse.
func Advertised(server, name string) string {
	full := server + separator + name
	if name != "" && len(full) <= MaxAdvertised && isName(full) && !hasSuffix(full) && CheckServer(server) == nil {
		return full
	}
	sum := sha256.Sum256([]byte(server + "\x00" + name))
	hash := hashAlphabet.EncodeToString(sum[:])[:suffixHash]
	full = clean(server, MaxServer) + separator + clean(name, MaxAdvertised)
	return full[:min(len(full), MaxAdvertised-len("_x")-suffixHash)] + "_x" + hash
}

// Long reports whether a name that some clients prefix with the name of the gateway is longer than
// their models accept: mcp__gateway__name.
func Long(gateway, advertised string) bool {
	return len("mcp")+len(separator)+len(gateway)+len(separator)+len(advertised) > LongForClients
}

// clean returns at most the first limit characters of s with _ for all that a name cannot have.
func clean(s string, limit int) string {
	b := make([]byte, 0, min(len(s), limit))
	for _, r := range s {
		if len(b) == limit {
			break
		}
		if r < 0x80 && isNameByte(byte(r)) {
			b = append(b, byte(r))
		} else {
			b = append(b, '_')
		}
	}
	return string(b)
}

func hasSuffix(s string) bool {
	i := len(s) - suffixHash
	if i < 2 || s[i-2:i] != "_x" {
		return false
	}
	for _, c := range []byte(s[i:]) {
		if !('a' <= c && c <= 'z' || '2' <= c && c <= '7') {
			return false
		}
	}
	return true
}

// isName reports whether s has only characters that the specification of tools allows in names.
func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool { return isAlnum(c) || c == '_' || c == '-' || c == '.' }

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// A Feature is a name as an upstream has it.
type Feature struct{ Server, Name string }

// A Collision says that two features have the same advertised name or URI.
type Collision struct {
	Advertised    string
	Winner, Loser Feature
}

// String returns the collision as a sentence for the log.
func (c Collision) String() string {
	if c.Winner == c.Loser {
		return fmt.Sprintf("%s lists %q twice", c.Winner.Server, c.Winner.Name)
	}
	return fmt.Sprintf("%s and %s both have %q: %s serves it", c.Winner.Server, c.Loser.Server, c.Advertised, c.Winner.Server)
}

// A Table maps advertised names of one kind of feature to those of the upstreams. Tools and prompts
// have a table each. The zero Table is empty and ready to use. Its methods may be called from any
// goroutine.
type Table struct {
	mu      sync.RWMutex
	feature map[string]Feature  // by advertised name
	names   map[string][]string // the advertised names of each upstream
}

// Replace sets the names of an upstream, in place of those that it had. It returns the advertised
// name of each, or "" for one that is not offered because another feature has its name: mostly one
// that the upstream has twice, of which the first is offered.
func (t *Table) Replace(server string, names []string) (advertised []string, collisions []Collision) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.feature == nil {
		t.feature, t.names = make(map[string]Feature), make(map[string][]string)
	}
	for _, old := range t.names[server] {
		delete(t.feature, old)
	}
	delete(t.names, server)
	advertised = make([]string, len(names))
	var own []string
	for i, name := range names {
		full, f := Advertised(server, name), Feature{server, name}
		if winner, taken := t.feature[full]; taken {
			collisions = append(collisions, Collision{full, winner, f})
			continue
		}
		t.feature[full] = f
		advertised[i] = full
		own = append(own, full)
	}
	if own != nil {
		t.names[server] = own
	}
	return advertised, collisions
}

// Lookup returns the feature with an advertised name.
func (t *Table) Lookup(advertised string) (Feature, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	f, ok := t.feature[advertised]
	return f, ok
}
