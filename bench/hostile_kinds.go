package bench

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/mooring-mcp/mooring/bench/dialect"
)

// An assault is one way to misbehave: a connection is opened, one of the messages is sent, and the
// connection is closed when there is an answer, or when there has been none for a while.
type assault struct {
	name     string // as in the figures
	title    string
	messages [][]byte // sent in turn
}

const (
	largeHead = 128 << 10 // bytes
	largeBody = 1 << 40   // bytes that are announced
	someBody  = 16 << 10  // bytes of a content that does not end
	someHead  = 1 << 10   // bytes of a head that does not end
)

// wire builds messages for a server.
type wire struct {
	target *dialect.Target
	path   string
	host   string
	fields string // further fields of each request
}

func newWire(t *dialect.Target) (*wire, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil, err
	}
	w := &wire{target: t, path: u.RequestURI(), host: u.Host}
	for _, line := range t.Header {
		w.fields += line + "\r\n"
	}
	return w, nil
}

// head returns a head without its end.
func (w *wire) head(method, path, fields string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: " + w.host + "\r\nUser-Agent: mooring-bench\r\n" + w.fields + fields
}

const (
	asJSON  = "Content-Type: application/json\r\n"
	accepts = "Accept: application/json, text/event-stream\r\n"
)

// post returns a complete POST to the endpoint.
func (w *wire) post(fields, body string) []byte {
	return []byte(w.head("POST", w.path, fields) + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// assaults returns all the cheap kinds: those that cost either side little.
func (w *wire) assaults() []assault {
	return []assault{
		{"garbage", "bytes that are not HTTP", w.garbage()},
		{"oversize_head", "heads of 128 KiB", w.oversizeHeads()},
		{"oversize_body", "announced contents of 1 TiB", [][]byte{w.oversizeBody()}},
		{"refused", "requests to be refused", w.refused()},
		{"broken_head", "abandoned heads", [][]byte{append(w.slowHead(), strings.Repeat("a", someHead)...)}},
		{"broken_body", "abandoned contents", [][]byte{append(w.slowBody(), strings.Repeat(" ", someBody)...)}},
	}
}

func (w *wire) garbage() [][]byte {
	noise := make([]byte, 600)
	x := uint32(2463534242)
	for i := range noise { // xorshift32, the same each time
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		noise[i] = byte(x >> 11)
	}
	copy(noise[len(noise)-4:], "\r\n\r\n")
	hello := append([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}, noise[:506]...)
	return [][]byte{
		noise,
		hello, // TLS
		[]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
		[]byte("SSH-2.0-OpenSSH_9.9\r\n"),
		make([]byte, 64),
		[]byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\n"),
		[]byte("GET\r\n\r\n"),
		[]byte("POST " + w.path + " HTTP/1.1\r\nHost: " + w.host + "\r\nContent-Length: -1\r\n\r\n"),
		[]byte("POST " + w.path + " HTTP/1.1\r\nHost: " + w.host + "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		[]byte("POST " + w.path + " HTTP/1.1\r\nHost: " + w.host + "\r\n" + accepts + asJSON + "Transfer-Encoding: chunked\r\n\r\nnot a size\r\n"),
	}
}

func (w *wire) oversizeHeads() [][]byte {
	one := w.head("POST", w.path, accepts+asJSON+"X-Large: "+strings.Repeat("a", largeHead)+"\r\n")
	var many strings.Builder
	for i := 0; many.Len() < largeHead; i++ {
		many.WriteString("X-Many-" + strconv.Itoa(i) + ": " + strings.Repeat("b", 24) + "\r\n")
	}
	return [][]byte{
		[]byte(one + "Content-Length: 2\r\n\r\n{}"),
		[]byte(w.head("POST", w.path, accepts+asJSON+many.String()) + "Content-Length: 2\r\n\r\n{}"),
		[]byte(w.head("POST", w.path+"?"+strings.Repeat("c", largeHead), accepts+asJSON) + "Content-Length: 2\r\n\r\n{}"),
	}
}

func (w *wire) oversizeBody() []byte {
	return []byte(w.head("POST", w.path, accepts+asJSON) + "Content-Length: " + strconv.FormatInt(largeBody, 10) + "\r\n\r\n" +
		`{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("a", someBody))
}

func (w *wire) refused() [][]byte {
	both := accepts + asJSON
	call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"no such tool","arguments":{}}}`
	return [][]byte{
		[]byte(w.head("PUT", w.path, both) + "Content-Length: 2\r\n\r\n{}"),
		[]byte(w.head("GET", "/no/such/path", "") + "\r\n"),
		w.post(accepts+"Content-Type: text/plain\r\n", call),
		w.post(asJSON+"Accept: image/png\r\n", call),
		w.post(both, `{"jsonrpc":"2.0","id":1,`),
		w.post(both, `{"jsonrpc":"1.0","id":{},"method":7}`),
		w.post(both, call),
		w.post(both, strings.Repeat("[", 9000)),
		w.post(both+"MCP-Protocol-Version: 1066-10-14\r\n", call),
		w.post(both+"Mcp-Session-Id: no such session\r\n", call),
		w.post(both, ""),
	}
}

// slowHead returns a head without its end. Any number of bytes may follow in its last field.
func (w *wire) slowHead() []byte { return []byte(w.head("POST", w.path, accepts+asJSON+"X-Slow: ")) }

// slowBody returns a head whose content is to follow. The content may begin with any number of
// spaces.
func (w *wire) slowBody() []byte {
	return []byte(w.head("POST", w.path, accepts+asJSON) + "Content-Length: 100000\r\n\r\n")
}
