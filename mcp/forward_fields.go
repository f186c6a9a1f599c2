package mcp

import "github.com/mooring-mcp/mooring/jsonrpc"

// ParamFields calls add for each argument of a tools/call that the schema of the tool annotates
// with x-mcp-header, with the name of the header field that repeats it, such as Mcp-Param-Region,
// and its value as text, which is not encoded for a field yet. Over HTTP a modern upstream demands
// these fields.
func (f *Forward) ParamFields(add func(name, value string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.c == nil || f.c.tool == nil {
		return
	}
	args := member(f.c.p.raw, "arguments")
	for _, p := range f.c.tool.params {
		value := valueAt(args, p.path)
		if value == nil {
			continue
		}
		text, ok := jsonrpc.StringValue(value)
		if !ok {
			text = string(value)
		}
		add("Mcp-Param-"+p.field, text)
	}
}
