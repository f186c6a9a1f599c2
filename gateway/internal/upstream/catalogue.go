package upstream

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"time"
	"unicode/utf8"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A Catalogue is what an upstream offers, as it has said. It does not change.
type Catalogue struct {
	// Version is the revision that the upstream speaks.
	Version string
	// ServerInfo is the Implementation object of the upstream, or nil.
	ServerInfo []byte
	// Capabilities is its ServerCapabilities object.
	Capabilities []byte
	// Instructions are at most 8 KiB, cut at a character.
	Instructions string

	// Subscribe, Logging and Completions are whether the upstream has these capabilities.
	Subscribe, Logging, Completions bool

	Tools, Prompts, Resources, Templates []Item

	// TTL is the shortest time to live of the lists, or 0 if one has none. Public is true if all
	// may be shown to anybody.
	TTL    time.Duration
	Public bool

	sum [sha256.Size]byte
}

// An Item is an entry of a list.
type Item struct {
	// Raw is the object, JSON without line ends.
	Raw []byte
	// Key is the name of a tool or prompt, the URI of a resource, or the template. No other item
	// of the list has it.
	Key string
	// KeyStart and KeyEnd are where the value of Key is in Raw, with its quotation marks.
	KeyStart, KeyEnd int
}

// The lists of a catalogue.
type listKind uint8

const (
	listTools listKind = iota
	listPrompts
	listResources
	listTemplates
	listKinds
)

var listNames = [listKinds]struct{ method, member, key string }{
	listTools:     {"tools/list", "tools", "name"},
	listPrompts:   {"prompts/list", "prompts", "name"},
	listResources: {"resources/list", "resources", "uri"},
	listTemplates: {"resources/templates/list", "resourceTemplates", "uriTemplate"},
}

// A listing is a list that is being read, page by page.
type listing struct {
	kind    listKind
	items   []Item
	keys    map[string]bool
	cursors map[string]bool
	pages   int
	cursor  []byte // of the next page, as JSON; nil if there is none
	cut     string // why not all was read, or ""
	dropped int    // entries that are no objects, or have no key of their own
	ttl     time.Duration
	hinted  bool // every page so far has a time to live
	public  bool
	err     error
}

func newListing(kind listKind) *listing {
	return &listing{kind: kind, keys: map[string]bool{}, cursors: map[string]bool{}, hinted: true, public: true}
}

// add adds the page in result, and finds out whether there is another. It copies what it keeps.
func (l *listing) add(result []byte) {
	l.pages++
	l.cursor = nil
	names := &listNames[l.kind]
	ttl, hinted, public := time.Duration(0), false, false
	for name, value := range jsonrpc.Members(result) {
		switch {
		case jsonrpc.EqualString(name, names.member):
			for entry := range jsonrpc.Elements(value) {
				l.addItem(entry)
			}
		case jsonrpc.EqualString(name, "nextCursor"):
			if cursor, ok := jsonrpc.StringValue(value); ok {
				l.cursor = append(append([]byte(`{"cursor":`), value...), '}')
				if l.cursors[cursor] {
					l.cursor, l.cut = nil, "a cursor came twice"
				}
				l.cursors[cursor] = true
			}
		case jsonrpc.EqualString(name, "ttlMs"):
			if ms, ok := jsonrpc.IntValue(value); ok && ms > 0 {
				ttl, hinted = time.Duration(min(ms, int64(24*time.Hour/time.Millisecond)))*time.Millisecond, true
			}
		case jsonrpc.EqualString(name, "cacheScope"):
			public = jsonrpc.EqualString(value, "public")
		}
	}
	if l.pages == 1 || ttl < l.ttl {
		l.ttl = ttl
	}
	l.hinted = l.hinted && hinted
	l.public = l.public && public
	switch {
	case l.cursor == nil:
	case l.pages >= maxPages:
		l.cursor, l.cut = nil, "too many pages"
	case len(l.items) >= maxEntries:
		l.cursor, l.cut = nil, "too many entries"
	}
}

func (l *listing) addItem(entry []byte) {
	if len(l.items) >= maxEntries {
		l.cut = "too many entries"
		return
	}
	raw := appendOneLine(make([]byte, 0, len(entry)), entry)
	value, ok := jsonrpc.Member(raw, listNames[l.kind].key)
	key, isString := jsonrpc.StringValue(value)
	if !ok || !isString || key == "" || l.keys[key] {
		l.dropped++
		return
	}
	l.keys[key] = true
	start := spanStart(raw, value)
	l.items = append(l.items, Item{Raw: raw, Key: key, KeyStart: start, KeyEnd: start + len(value)})
}

// spanStart returns where value, the value of a member of raw, begins there.
func spanStart(raw, value []byte) int {
	for i := 0; ; i++ {
		n := bytes.Index(raw[i:], value)
		if n < 0 {
			return 0
		}
		if i += n; &raw[i] == &value[0] {
			return i
		}
	}
}

// build returns the catalogue of what the server and its lists say.
func build(k *conn, lists *[listKinds]*listing) *Catalogue {
	c := &Catalogue{
		Version: k.version, ServerInfo: k.server.info, Capabilities: k.server.capabilities,
		Instructions: k.server.instructions, Public: true,
		Subscribe: k.server.subscribe, Logging: k.server.logging, Completions: k.server.completions,
		Tools: lists[listTools].items, Prompts: lists[listPrompts].items,
		Resources: lists[listResources].items, Templates: lists[listTemplates].items,
	}
	read, hinted := 0, true
	for _, l := range lists {
		if l.pages == 0 {
			continue
		}
		if read++; read == 1 || l.ttl < c.TTL {
			c.TTL = l.ttl
		}
		hinted = hinted && l.hinted
		c.Public = c.Public && l.public
	}
	if !hinted || read == 0 {
		c.TTL = 0
	}
	c.Public = c.Public && read > 0
	h := sha256.New()
	write(h, []byte(c.Version), c.ServerInfo, c.Capabilities, []byte(c.Instructions))
	for _, l := range lists {
		write(h, []byte(listNames[l.kind].member))
		for i := range l.items {
			write(h, l.items[i].Raw)
		}
	}
	h.Sum(c.sum[:0])
	return c
}

// write writes each part with its length, so that no two sequences give the same hash.
func write(h hash.Hash, parts ...[]byte) {
	for _, p := range parts {
		n := len(p)
		_, _ = h.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		_, _ = h.Write(p)
	}
}

// parseServer takes apart the result of initialize or server/discover. It copies what it keeps.
func parseServer(result []byte) serverInfo {
	var v serverInfo
	v.capabilities = []byte(`{}`)
	for name, value := range jsonrpc.Members(result) {
		switch {
		case jsonrpc.EqualString(name, "capabilities") && value[0] == '{':
			v.capabilities = appendOneLine(nil, value)
		case jsonrpc.EqualString(name, "instructions"):
			text, _ := jsonrpc.StringValue(value)
			v.instructions = cutText(text, maxInstructions)
		}
	}
	for name, value := range jsonrpc.Members(v.capabilities) {
		if value[0] != '{' {
			continue
		}
		switch {
		case jsonrpc.EqualString(name, "tools"):
			v.tools, v.toolsChanged = true, isTrue(value, "listChanged")
		case jsonrpc.EqualString(name, "prompts"):
			v.prompts, v.promptsChanged = true, isTrue(value, "listChanged")
		case jsonrpc.EqualString(name, "resources"):
			v.resources, v.resourcesChanged = true, isTrue(value, "listChanged")
			v.subscribe = isTrue(value, "subscribe")
		case jsonrpc.EqualString(name, "logging"):
			v.logging = true
		case jsonrpc.EqualString(name, "completions"):
			v.completions = true
		}
	}
	return v
}

// isTrue reports whether the member of obj with the name is true.
func isTrue(obj []byte, name string) bool {
	v, _ := jsonrpc.Member(obj, name)
	return string(v) == "true"
}

// cutText returns the beginning of text, at most n bytes of whole characters.
func cutText(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// lists reports whether the server has the list.
func (v *serverInfo) lists(kind listKind) bool {
	switch kind {
	case listTools:
		return v.tools
	case listPrompts:
		return v.prompts
	}
	return v.resources
}

// announces reports whether the server announces changes of all lists that it has.
func (v *serverInfo) announces() bool {
	return (!v.tools || v.toolsChanged) && (!v.prompts || v.promptsChanged) && (!v.resources || v.resourcesChanged)
}
