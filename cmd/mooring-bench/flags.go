package main

import (
	"slices"

	"github.com/spf13/pflag"

	"github.com/mooring-mcp/mooring/bench"
)

// serverFlags say which server to measure and what to do with the result.
type serverFlags struct {
	url, era, revision, label, notes string
	header, failIf                   []string
	pid                              int
	noProcess, own, quiet            bool
	out                              string
}

func (f *serverFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&f.url, "url", "", "the server's MCP endpoint, http://host:port/path")
	fs.StringVar(&f.era, "era", "auto", "modern (2026-07-28), legacy (initialize), plain (an event stream without MCP), or auto (ask the server)")
	fs.StringVar(&f.revision, "revision", "", "protocol revision; the newest of the era by default")
	fs.StringArrayVar(&f.header, "header", nil, "header line for each request, such as 'Authorization: Bearer …'; may be repeated")
	fs.StringVar(&f.label, "label", "", "name of the server in tables; its own name by default")
	fs.StringVar(&f.notes, "notes", "", "how the server is configured, for the report")
	fs.IntVar(&f.pid, "pid", 0, "process ID of the server; by default it is found by its socket")
	fs.BoolVar(&f.noProcess, "no-process", false, "do not measure the server's process")
	fs.BoolVar(&f.own, "i-own-this-server", false, "allow loading a server that is not on a loopback address")
	fs.StringArrayVar(&f.failIf, "fail-if", nil, "exit with 1 if this holds, such as 'close_wait_final>0' or 'call.call_p99>5ms' or 'findings>0'; may be repeated")
	fs.StringVarP(&f.out, "output", "o", "", "write the result to this file, as JSON")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
}

// paramFlags adds flags for the named parameters, or for all if uses is nil.
func paramFlags(fs *pflag.FlagSet, p *bench.Params, uses []string, d *bench.Params) {
	has := func(name string) bool { return uses == nil || slices.Contains(uses, name) }
	integer := func(v *int, name string, def int, usage string) {
		if has(name) {
			fs.IntVar(v, name, def, usage)
		}
	}
	text := func(v *string, name, def, usage string) {
		if has(name) {
			fs.StringVar(v, name, def, usage)
		}
	}
	integer(&p.Streams, "streams", d.Streams, "number of streams that are held open")
	integer(&p.Clients, "clients", d.Clients, "number of clients that come and go, or of requests, in all")
	integer(&p.Rounds, "rounds", d.Rounds, "number of rounds")
	integer(&p.Concurrency, "concurrency", d.Concurrency, "number of clients at work at the same time")
	integer(&p.Stalled, "stalled", d.Stalled, "number of clients that stop reading")
	integer(&p.LargeBytes, "large-bytes", d.LargeBytes, "size of a large answer in bytes")
	if has("rate") {
		fs.Float64Var(&p.Rate, "rate", d.Rate, "requests each second in the open loop; by default call uses half of what its closed loop reached")
	}
	if has("open-rate") {
		fs.Float64Var(&p.OpenRate, "open-rate", d.OpenRate, "streams opened each second; 0: as fast as possible")
	}
	if has("duration") {
		fs.DurationVar(&p.Duration, "duration", d.Duration, "length of the measured part")
	}
	if has("wait") {
		fs.DurationVar(&p.Wait, "wait", d.Wait, "time for what is left behind to go away")
	}
	if has("silence") {
		fs.DurationVar(&p.Silence, "silence", d.Silence, "how long a stream may receive nothing, not even a comment, before that is a finding")
	}
	if has("with-stream") {
		fs.BoolVar(&p.WithStream, "with-stream", d.WithStream, "clients that come and go also open a stream")
	}
	text(&p.Order, "order", d.Order, "which idle connection of the open loop gets the next request: last (the most recently used) or turn")
	text(&p.End, "end", d.End, "how streams are closed: fin, rst or silence")
	if has("tool") {
		fs.StringVar(&p.Tool, "tool", d.Tool, "a tool that answers at once")
		fs.StringVar(&p.Args, "args", d.Args, "arguments of --tool, as JSON")
	}
	if has("slow-tool") {
		fs.StringVar(&p.SlowTool, "slow-tool", d.SlowTool, "a tool that takes a second or more")
		fs.StringVar(&p.SlowArgs, "slow-args", d.SlowArgs, "arguments of --slow-tool, as JSON")
	}
	if has("change-tool") {
		fs.StringVar(&p.ChangeTool, "change-tool", d.ChangeTool, "a tool that changes the server's list of tools")
		fs.StringVar(&p.ChangeArgs, "change-args", d.ChangeArgs, "arguments of --change-tool, as JSON")
		fs.StringVar(&p.ChangeURL, "change-url", d.ChangeURL, "make the change with a POST to this URL instead")
		fs.StringVar(&p.ChangeBody, "change-body", d.ChangeBody, "body of the POST to --change-url")
		fs.StringVar(&p.Event, "event", d.Event, "what the event of a change contains; notifications/tools/list_changed by default")
	}
	if has("health") {
		fs.StringVar(&p.Health, "health", d.Health, "path of a health check, such as /healthz; by default a ping or server/discover is used")
	}
}
