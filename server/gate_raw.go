package server

import (
	"net"
	"net/http"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// rawWriter writes the response on a connection that was taken from net/http but that no loop can
// have, because something wraps its socket, or because the loops take no more. The connection ends
// with the response.
type rawWriter struct {
	nc     net.Conn
	header http.Header
	chunks bool // the response has the chunked coding, because net/http has begun it
	buf    []byte
}

func newRawWriter(nc net.Conn, p *passage) *rawWriter {
	w := &rawWriter{nc: nc, header: p.w.Header(), chunks: p.began}
	go w.watch(p.g)
	return w
}

// watch notices that the client has disconnected, as net/http does for a request.
func (w *rawWriter) watch(g *gate) {
	var b [512]byte
	for {
		if _, err := w.nc.Read(b[:]); err != nil {
			g.mu.Lock()
			g.lost = true
			g.mu.Unlock()
			g.ring()
			return
		}
	}
}

// Header implements http.ResponseWriter.
func (w *rawWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *rawWriter) WriteHeader(status int) {
	var fields []byte
	if _, given := w.header["Date"]; !given {
		fields = time.Now().UTC().AppendFormat([]byte("\r\nDate: "), http.TimeFormat)
	}
	for name, values := range w.header {
		if isHopByHop(name) && name != "Content-Length" {
			continue
		}
		for _, v := range values {
			n := len(fields)
			var ok bool
			if fields, ok = appendField(append(fields, "\r\n"...), name, v); !ok {
				fields = fields[:n]
				continue
			}
			fields = fields[:len(fields)-2]
		}
	}
	w.buf = endpoint.AppendRewritten(w.buf[:0], status, nil, fields, true, false)
	_, _ = w.nc.Write(w.buf)
}

// Write implements http.ResponseWriter.
func (w *rawWriter) Write(b []byte) (int, error) {
	if !w.chunks {
		return w.nc.Write(b)
	}
	w.buf = endpoint.AppendChunk(w.buf[:0], b)
	if _, err := w.nc.Write(w.buf); err != nil {
		return 0, err
	}
	return len(b), nil
}

// FlushError is what http.ResponseController wants. There is nothing to flush.
func (w *rawWriter) FlushError() error { return nil }

// SetWriteDeadline is for http.ResponseController.
func (w *rawWriter) SetWriteDeadline(t time.Time) error { return w.nc.SetWriteDeadline(t) }

// end ends the connection, after a response that is complete or not.
func (w *rawWriter) end(complete bool) {
	if complete && w.chunks {
		_, _ = w.nc.Write([]byte(endpoint.LastChunk))
	}
	_ = w.nc.Close()
}
