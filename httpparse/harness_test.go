package httpparse

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The tables have inputs in the form that they have on the wire. In an input that is
// refused, the mark is before the octet that is refused. The mark is removed before
// the input is parsed.
const mark = "¦"

// A result describes how a connection reads its input: what it read, in words, and
// how it ended.
type result struct {
	text   string // one line for each request, "more" for a beginning without an end
	fields string // the field lines of all requests
	err    *Error
	at     int // offset in the input of the octet that was refused
	fed    int // how much of the input had arrived by then
}

func (r result) String() string {
	if r.err == nil {
		return r.text
	}
	return fmt.Sprintf("%s%d at %d: %s", r.text, r.err.Status, r.at, r.err.Reason)
}

// converse plays the part of a server: it parses requests and decodes their
// content one after another, as the input arrives in pieces. next returns how much
// has arrived once have octets are used up. Whenever something arrives, the unread
// octets move, and their old place is overwritten. With a Pause the result is the
// same.
func converse(in []byte, lim *Limits, next func(have int) int) result {
	var r Request
	res := converseBy(func(b []byte, seen int) (*Request, int, error) {
		n, err := ParseRequest(&r, b, seen, lim)
		return &r, n, err
	}, in, lim, next)
	var p Pause
	paused := converseBy(func(b []byte, _ int) (*Request, int, error) {
		_, _ = ParseRequest(&others, otherHead, 0, nil) // another connection's turn
		n, err := p.Parse(&others, b, lim)
		return &others, n, err
	}, in, lim, next)
	if paused.String() != res.String() || paused.fields != res.fields || paused.err != res.err || paused.fed != res.fed {
		panic(fmt.Sprintf("with a pause: %q\n got %s\nwant %s", in, paused, res))
	}
	return res
}

// others is the Request of very many connections.
var others Request

var otherHead = []byte(mcpHead)

func converseBy(parse func(b []byte, seen int) (*Request, int, error), in []byte, lim *Limits, next func(have int) int) (res result) {
	var (
		r      *Request
		d      BodyDecoder
		buf    []byte
		body   []byte
		seen   int
		fed    int
		base   int
		inBody bool
		text   strings.Builder
		fields strings.Builder
	)
	refused := func(n int, err error) result {
		if !errors.As(err, &res.err) {
			panic(err)
		}
		res.text, res.fields, res.at, res.fed = text.String(), fields.String(), base+n, fed
		return res
	}
	for {
		for {
			if !inBody {
				var (
					n   int
					err error
				)
				r, n, err = parse(buf, seen)
				if err == ErrIncomplete {
					seen = len(buf)
					break
				}
				if err != nil {
					return refused(n, err)
				}
				if err := r.CheckContent(lim); err != nil {
					return refused(n-1, err)
				}
				text.WriteString(describe(r))
				for name, value := range r.Fields() {
					fields.Write(name)
					fields.WriteByte(':')
					fields.Write(value)
					fields.WriteByte('\n')
				}
				base, buf, seen, inBody, body = base+n, buf[n:], 0, true, nil
				d.Reset(r, lim)
			}
			out, n, done, err := d.Append(body, buf)
			if err != nil {
				return refused(n, err)
			}
			body, base, buf = out, base+n, buf[n:]
			if !done {
				if len(buf) > 0 {
					panic("not done, and not all consumed")
				}
				break
			}
			if r.HasContent() {
				fmt.Fprintf(&text, " body=%q", body)
			}
			text.WriteString("\n")
			inBody = false
		}
		if fed == len(in) {
			if inBody || len(buf) > 0 {
				text.WriteString("more")
			}
			res.text, res.fields = text.String(), fields.String()
			return res
		}
		to := max(fed+1, min(next(fed), len(in)))
		moved := append(bytes.Clone(buf), in[fed:to]...)
		for i := range buf {
			buf[i] = 0xaa
		}
		buf, fed = moved, to
	}
}

// describe puts a head into words: everything that differs from the simplest head.
func describe(r *Request) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s 1.%d", r.Method, r.Target, r.Minor)
	word := func(when bool, w string) {
		if when {
			s.WriteString(" " + w)
		}
	}
	value := func(name string, v []byte) {
		if v != nil {
			fmt.Fprintf(&s, " %s=%q", name, v)
		}
	}
	word(r.Form != FormOrigin, r.Form.String())
	if r.Query != nil || r.Form == FormAbsolute {
		value("path", r.Path)
	}
	value("query", r.Query)
	value("host", r.Host)
	word(r.ContentLength >= 0, fmt.Sprintf("len=%d", r.ContentLength))
	word(r.Chunked, "chunked")
	word(!r.KeepAlive, "close")
	word(r.ExpectContinue, "continue")
	word(r.Duplicate, "duplicate")
	word(r.DuplicateMCP, "duplicate-mcp")
	word(r.MoreAccept, "more-accept")
	word(r.HasMCPParam, "param")
	value("accept", r.Accept)
	value("accept-encoding", r.AcceptEncoding)
	value("authorization", r.Authorization)
	value("content-encoding", r.ContentEncoding)
	value("content-type", r.ContentType)
	value("last-event-id", r.LastEventID)
	value("origin", r.Origin)
	value("user-agent", r.UserAgent)
	value("mcp-method", r.MCPMethod)
	value("mcp-name", r.MCPName)
	value("mcp-protocol-version", r.MCPProtocolVersion)
	value("mcp-session-id", r.MCPSessionID)
	return s.String()
}

func whole(int) int          { return 1 << 30 }
func octetwise(have int) int { return have + 1 }

func cutAt(cuts ...int) func(int) int {
	return func(have int) int {
		for _, c := range cuts {
			if c > have {
				return c
			}
		}
		return 1 << 30
	}
}

// wantConverse checks that in has the result want however it is cut: whole, octet by
// octet, and in two pieces at every offset.
func wantConverse(t *testing.T, in string, lim *Limits, want result) {
	t.Helper()
	data := []byte(in)
	check := func(how string, next func(int) int) {
		t.Helper()
		got := converse(data, lim, next)
		if got.String() != want.String() || got.err != want.err {
			t.Fatalf("%s, input %.200q\n got %s\nwant %s", how, in, got, want)
		}
		if how == "octet by octet" && got.err != nil && got.fed != got.at+1 {
			t.Fatalf("%s, input %.200q\nrefused when %d octets had come, want %d", how, in, got.fed, got.at+1)
		}
	}
	check("whole", whole)
	check("octet by octet", octetwise)
	for i := 1; i < len(data); i += 1 + len(data)/300 {
		check(fmt.Sprintf("cut at %d", i), cutAt(i))
	}
}

// A refusal is an input that must be refused, with the error, at its mark.
type refusal struct {
	name string
	in   string
	err  *Error
	lim  *Limits
}

func (c refusal) run(t *testing.T) {
	before, after, ok := strings.Cut(c.in, mark)
	if !ok {
		t.Fatal("the input has no mark")
	}
	in := before + after
	got := converse([]byte(in), c.lim, whole)
	if got.err != c.err || got.at != len(before) {
		t.Fatalf("input %.300q\n got %s\nwant %d at %d: %s", in, got, c.err.Status, len(before), c.err.Reason)
	}
	wantConverse(t, in, c.lim, got)
}

// An acceptance is an input that must be accepted, and what must be read from it.
type acceptance struct {
	name string
	in   string
	want string // a line for each request; the last may be "more"
	lim  *Limits
}

func (c acceptance) run(t *testing.T) {
	want := c.want
	if !strings.HasSuffix(want, "more") {
		want += "\n"
	}
	wantConverse(t, c.in, c.lim, result{text: want})
}
