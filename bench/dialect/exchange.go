package dialect

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/sse"
)

const (
	maxHead    = 64 << 10
	maxContent = 16 << 20
)

// An answer is the server's answer to one request of Ask.
type answer struct {
	status      int
	contentType string
	stream      bool   // the content is an event stream
	session     []byte // Mcp-Session-Id, if it is a valid one
	// The JSON-RPC response: all of the content, or the data of one event; nil: there was none.
	message []byte
}

// exchange sends one request, built by an Append method, on a connection of its own and reads the
// answer. It reads an event stream only up to the response, and nothing of one that answers a GET.
func (t *Target) exchange(ctx context.Context, what string, request []byte) (*answer, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", t.Addr.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := c.Write(request); err != nil {
		return nil, cause(ctx, fmt.Errorf("%s: %w", what, err))
	}
	a, err := readAnswer(c, what)
	if err != nil {
		if ctx.Err() == nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
			return nil, &refusal{"closed the connection instead of answering " + what}
		}
		return nil, cause(ctx, fmt.Errorf("%s: %w", what, err))
	}
	return a, nil
}

// cause puts the reason why ctx ended next to its effect on the connection.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", err, context.Cause(ctx))
	}
	return err
}

func readAnswer(c net.Conn, what string) (_ *answer, err error) {
	limit := &io.LimitedReader{R: c, N: maxHead}
	defer func() {
		if err != nil && limit.N <= 0 {
			err = errors.New("the answer is too large")
		}
	}()
	br := bufio.NewReader(limit)
	method := http.MethodPost
	if what == http.MethodGet || what == http.MethodDelete {
		method = what
	}
	var resp *http.Response
	for {
		resp, err = http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	a := &answer{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type")}
	if id := resp.Header.Get("Mcp-Session-Id"); visible(id) {
		a.session = []byte(id)
	}
	kind, _, _ := mime.ParseMediaType(a.contentType)
	a.stream = kind == "text/event-stream"
	if method != http.MethodPost || a.status == http.StatusAccepted {
		return a, nil
	}
	limit.N = maxContent
	if a.stream {
		return a, a.readStream(resp.Body)
	}
	a.message, err = io.ReadAll(resp.Body)
	return a, err
}

// readStream reads events up to the first one that is a response.
func (a *answer) readStream(body io.Reader) error {
	decoder := sse.Decoder{MaxEventSize: maxContent}
	buf := make([]byte, 16<<10)
	for {
		n, err := body.Read(buf)
		for event, derr := range decoder.Decode(buf[:n]) {
			if derr != nil {
				return derr
			}
			if _, _, ok := Result(event.Data); ok {
				a.message = append([]byte(nil), event.Data...)
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// result returns the result with that id, or a refusal that says what there is instead.
func (a *answer) result(what string, id int64) ([]byte, error) {
	var m jsonrpc.Envelope
	decodeErr := m.Decode(a.message)
	if e := m.ErrorObject(); e != nil {
		return nil, &refusal{fmt.Sprintf("returned %d and error %d %s for %s", a.status, int64(e.Code), quote([]byte(e.Message)), what)}
	}
	if a.status != http.StatusOK {
		return nil, &refusal{fmt.Sprintf("returned %d for %s", a.status, what)}
	}
	if decodeErr != nil || m.Kind != jsonrpc.KindResult {
		return nil, &refusal{fmt.Sprintf("returned %d and %q for %s, but no result: %s", a.status, a.contentType, what, quote(a.message))}
	}
	if got, ok := jsonrpc.IntValue(m.ID); !ok || got != id {
		return nil, &refusal{fmt.Sprintf("answered %s with a result for id %s instead of %d", what, quote(m.ID), id)}
	}
	return m.Result, nil
}

// quote makes the server's bytes safe for one line of a terminal.
func quote(b []byte) string { return fmt.Sprintf("%.200q", b) }
