package mcp

import "github.com/mooring-mcp/mooring/jsonrpc"

// capabilityBits returns the capabilities that caps declares. Caps is the JSON of a client's
// capabilities, or nil. "For backwards compatibility, an empty capabilities object is equivalent to
// declaring support for form mode only" (client/elicitation, "Capabilities").
func capabilityBits(caps []byte) CapabilityBits {
	var bits CapabilityBits
	add := func(bit CapabilityBits, path ...string) bool {
		ok := declared(caps, path...)
		if ok {
			bits |= bit
		}
		return ok
	}
	if add(CapabilityRoots, "roots") {
		roots, _ := jsonrpc.Member(caps, "roots")
		if changed, _ := jsonrpc.Member(roots, "listChanged"); string(changed) == "true" {
			bits |= CapabilityRootsListChanged
		}
	}
	if add(CapabilitySampling, "sampling") {
		add(CapabilitySamplingTools, "sampling", "tools")
		add(CapabilitySamplingContext, "sampling", "context")
	}
	if add(CapabilityElicitation, "elicitation") {
		url := add(CapabilityElicitationURL, "elicitation", "url")
		if !add(CapabilityElicitationForm, "elicitation", "form") && !url {
			bits |= CapabilityElicitationForm
		}
	}
	return bits
}

// clientCapabilities returns the capabilities in bits.
func (bits CapabilityBits) clientCapabilities() *ClientCapabilities {
	c := new(ClientCapabilities)
	if bits&CapabilityRoots != 0 {
		c.RootsV2 = &RootCapabilities{ListChanged: bits&CapabilityRootsListChanged != 0}
		c.Roots = *c.RootsV2
	}
	if bits&CapabilitySampling != 0 {
		c.Sampling = new(SamplingCapabilities)
		if bits&CapabilitySamplingTools != 0 {
			c.Sampling.Tools = new(SamplingToolsCapabilities)
		}
		if bits&CapabilitySamplingContext != 0 {
			c.Sampling.Context = new(SamplingContextCapabilities)
		}
	}
	if bits&CapabilityElicitation != 0 {
		c.Elicitation = new(ElicitationCapabilities)
		if bits&CapabilityElicitationForm != 0 {
			c.Elicitation.Form = new(FormElicitationCapabilities)
		}
		if bits&CapabilityElicitationURL != 0 {
			c.Elicitation.URL = new(URLElicitationCapabilities)
		}
	}
	return c
}
