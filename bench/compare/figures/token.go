package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// tokenBytes is the length of the tokens: that of a JWT with a usual number of claims.
const tokenBytes = 800

// tokenOf returns a token of a user that expires at a time. The subject accepts it with -auth.
func tokenOf(user string, end time.Time) string {
	t := fmt.Sprintf("%s.%d.", user, end.Unix())
	for len(t) < tokenBytes-len(user) {
		t += "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9"
	}
	return t[:tokenBytes-len(user)] + user // the end is what differs, as in a signature
}

// withToken returns the request with a token.
func withToken(req []byte, token string) []byte {
	line, rest, _ := bytes.Cut(req, endOfFieldVal)
	return fmt.Appendf(nil, "%s\r\nAuthorization: Bearer %s\r\n%s", line, token, rest)
}

// An authRow is a figure of a server that demands tokens, beside the same without.
type authRow struct {
	name, what    string
	without, with []float64
	what2         func(without, with []float64) float64
	unit          string // of the comparison
	bound         float64
}

func (r *authRow) print(engine string) {
	without := "–"
	if r.without != nil {
		without = spread(r.without)
	}
	v := r.what2(r.without, r.with)
	mark, bound := "", "–"
	if r.bound != noBound {
		bound = fmt.Sprintf("%.4g", r.bound)
		if v > r.bound {
			mark = " **above**"
		}
	}
	fmt.Printf("| `%s` | %s | %s | %s | %s | %.2f %s%s | %s |\n", r.name, r.what, engine, without, spread(r.with), v, r.unit, mark, bound)
}

// differences returns the median of b[i]-a[i].
func differences(a, b []float64) float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = b[i] - a[i]
	}
	return median(d)
}

func ratio(without, with []float64) float64 { return pairwise(with, without) }

func itself(_, with []float64) float64 { return median(with) }

// authGroups are the groups of figures of a server that demands tokens.
var authGroups = []struct {
	name    string
	measure func(bin, engine string, o *options) []authRow
}{
	{"token", measureToken},
	{"holders", measureHolders},
	{"badtokens", measureBadTokens},
	{"expiry", measureExpiry},
}

// measureAuth prints the groups of that name, or all for "auth", on one engine or, if it is empty,
// on both.
func measureAuth(bin, only, on string, o *options) {
	fmt.Printf("| figure | what it is | engine | without | with tokens | comparison | at most |\n|---|---|---|--:|--:|--:|--:|\n")
	for _, g := range authGroups {
		for _, engine := range engines {
			if only != "auth" && only != g.name || on != "" && on != engine {
				continue
			}
			for _, r := range g.measure(bin, engine, o) {
				r.print(engine)
			}
		}
	}
}

func isAuth(only string) bool {
	for _, g := range authGroups {
		if only == g.name {
			return true
		}
	}
	return only == "auth"
}

// measureToken compares the processor time of calls with and without a token on which the server
// has a verdict, which is of one caller or, with a connection each, of as many.
func measureToken(bin, engine string, o *options) (rows []authRow) {
	plain := start(bin, "-kind=mooring", "-engine="+engine)
	defer plain.stop()
	guarded := start(bin, "-kind=mooring", "-engine="+engine, "-auth")
	defer guarded.stop()
	for _, of := range []struct {
		tool, what string
		bound      float64
	}{{"add", "inline", 1.15}, {"echo", "worker", 1.1}} {
		one := authRow{name: of.what + "_token_cpu", what: fmt.Sprintf("server CPU-s per 100,000 `%s` (%s), a token of %d bytes", of.tool, of.what, tokenBytes), what2: ratio, unit: "×", bound: of.bound}
		many := one
		many.name, many.what = of.what+"_tokens_cpu", fmt.Sprintf("the same, %d callers", o.conns)
		padded := one
		padded.name, padded.what, padded.bound = of.what+"_padded_cpu", "the same, a field of as many bytes that means nothing", noBound
		p, long := make([][]byte, o.conns), make([][]byte, o.conns)
		same, each := make([][]byte, o.conns), make([][]byte, o.conns)
		end := time.Now().Add(time.Hour)
		for i := range p {
			p[i] = requestOf(plain.addr, of.tool)
			long[i] = bytes.Replace(withToken(p[i], tokenOf("ann", end)), []byte("Authorization: Bearer"), []byte("X-Correlation: Context"), 1)
			same[i] = withToken(requestOf(guarded.addr, of.tool), tokenOf("ann", end))
			each[i] = withToken(requestOf(guarded.addr, of.tool), tokenOf(fmt.Sprintf("user%05d", i), end))
		}
		callEach(plain.addr, p, o.calls/4)
		callEach(plain.addr, long, o.calls/4)
		callEach(guarded.addr, same, o.calls/4)
		callEach(guarded.addr, each, o.calls/4)
		for range o.rounds {
			without := costEach(plain, p, o.calls)
			one.without, one.with = append(one.without, without), append(one.with, costEach(guarded, same, o.calls))
			without = costEach(plain, p, o.calls)
			many.without, many.with = append(many.without, without), append(many.with, costEach(guarded, each, o.calls))
			without = costEach(plain, p, o.calls)
			padded.without, padded.with = append(padded.without, without), append(padded.with, costEach(plain, long, o.calls))
		}
		rows = append(rows, one, many, padded)
	}
	return rows
}

// verdictsGone is longer than the subject keeps verdicts and may take to sweep them.
const verdictsGone = 25 * time.Second

// measureHolders measures what an idle stream holds with a token, after its verdict has expired.
func measureHolders(bin, engine string, o *options) []authRow {
	many := authRow{name: "holders_rss", what: fmt.Sprintf("resident bytes of an idle stream, %d of as many principals", o.streams), what2: differences, unit: "B", bound: 160}
	manyHeap := authRow{name: "holders_heap", what: "the same, live heap", what2: differences, unit: "B", bound: noBound}
	one := authRow{name: "holder_rss", what: "resident bytes of an idle stream, all of one principal", what2: differences, unit: "B", bound: 16}
	oneHeap := authRow{name: "holder_heap", what: "the same, live heap", what2: differences, unit: "B", bound: noBound}
	for range o.rounds {
		type figure struct{ rss, heap float64 }
		var f [3]figure
		for i := range f {
			args := []string{"-kind=mooring", "-engine=" + engine}
			if i > 0 {
				args = append(args, "-auth")
			}
			p := start(bin, args...)
			end := time.Now().Add(time.Hour)
			req := func(n int) []byte {
				q := listen(p.addr)(n)
				switch i {
				case 1:
					return withToken(q, tokenOf(fmt.Sprintf("user%05d", n), end))
				case 2:
					return withToken(q, tokenOf("ann", end))
				}
				return q
			}
			f[i].rss, f[i].heap = perStream(p, o.streams, req)
			p.stop()
		}
		many.without, many.with = append(many.without, f[0].rss), append(many.with, f[1].rss)
		manyHeap.without, manyHeap.with = append(manyHeap.without, f[0].heap), append(manyHeap.with, f[1].heap)
		one.without, one.with = append(one.without, f[0].rss), append(one.with, f[2].rss)
		oneHeap.without, oneHeap.with = append(oneHeap.without, f[0].heap), append(oneHeap.with, f[2].heap)
	}
	return []authRow{many, manyHeap, one, oneHeap}
}

// perStream is perConn for streams, and waits until verdicts are out of date. All that warm it up
// are of the first caller, so that what the server keeps of others counts.
func perStream(p *process, n int, req func(i int) []byte) (rss, heap float64) {
	first := req(0)
	closeAll(open(p.addr, n, func(int) []byte { return first }, acknowledged))
	time.Sleep(verdictsGone)
	rss0, heap0 := p.mem()
	conns := open(p.addr, n, req, acknowledged)
	time.Sleep(verdictsGone)
	rss1, heap1 := p.mem()
	closeAll(conns)
	return (rss1 - rss0) / float64(n), (heap1 - heap0) / float64(n)
}

// lagOf returns the longest lag of a loop in milliseconds.
func (p *process) lag() float64 {
	var nanos int64
	p.ask("lag", &nanos)
	return float64(nanos) / 1e6
}

// isStreamOver reports whether a stream has its last chunk.
func isStreamOver(b []byte) bool { return strings.HasSuffix(string(b), "\r\n0\r\n\r\n") }
