package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mooring-mcp/mooring/mcp"
)

const (
	harbourPrefix   = "mooring://harbour/"
	harbourTemplate = harbourPrefix + "{name}"
	planPrompt      = "plan_visit"
)

type harbour struct {
	name, country string
	depth         float64 // metres
}

// harbours returns the harbours in the order of their names. The names need no percent-encoding.
func harbours() []harbour {
	return []harbour{
		{"antwerp", "Belgium", 17}, {"bergen", "Norway", 11}, {"bremerhaven", "Germany", 14}, {"genoa", "Italy", 15},
		{"hamburg", "Germany", 15}, {"kiel", "Germany", 9.5}, {"lisbon", "Portugal", 15}, {"marseille", "France", 18},
		{"oslo", "Norway", 11}, {"piraeus", "Greece", 18}, {"rotterdam", "Netherlands", 24}, {"valencia", "Spain", 16},
	}
}

// find returns the harbour with the given name, regardless of case.
func find(name string) (harbour, bool) {
	all := harbours()
	i, ok := slices.BinarySearchFunc(all, strings.ToLower(name), func(h harbour, name string) int { return cmp.Compare(h.name, name) })
	if !ok {
		return harbour{}, false
	}
	return all[i], true
}

// addHarbours adds the resource template and the prompt. Both support completion of their
// arguments.
func addHarbours(s *mcp.Server) {
	s.AddResourceTemplate(&mcp.ResourceTemplate{
		URITemplate: harbourTemplate, Name: "harbour", Title: "Harbour", MIMEType: "text/plain", Description: "A harbour by name, for example oslo.",
	}, readHarbour)
	s.AddPrompt(&mcp.Prompt{
		Name: planPrompt, Title: "Plan a visit", Description: "Plans a visit to a harbour.",
		Arguments: []*mcp.PromptArgument{
			{Name: "harbour", Title: "Harbour", Description: "Where to go, for example oslo", Required: true},
			{Name: "days", Title: "Days", Description: "How long to stay, 1 by default"},
		},
	}, planVisit)
}

func readHarbour(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	uri := req.Params.URI
	h, ok := find(strings.TrimPrefix(uri, harbourPrefix))
	if !ok {
		return nil, mcp.ResourceNotFoundError(uri)
	}
	text := fmt.Sprintf("%s, %s: %g m deep", h.name, h.country, h.depth)
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: uri, MIMEType: "text/plain", Text: text}}}, nil
}

func planVisit(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	name, days := req.Params.Arguments["harbour"], cmp.Or(req.Params.Arguments["days"], "1")
	where := name
	if h, ok := find(name); ok {
		where = fmt.Sprintf("%s (%s, %g m deep)", h.name, h.country, h.depth)
	}
	text := fmt.Sprintf("Plan a visit of %s day(s) to the harbour of %s: where to moor, what to see, when to leave.", days, where)
	return &mcp.GetPromptResult{
		Description: "A visit to " + where,
		Messages:    []*mcp.PromptMessage{{Role: mcp.RoleUser, Content: &mcp.TextContent{Text: text}}},
	}, nil
}

// complete returns the values that begin with what the user has typed.
func complete(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	var values []string
	switch ref, arg := req.Params.Ref, req.Params.Argument.Name; {
	case ref.Type == mcp.RefPrompt && ref.Name == planPrompt && arg == "harbour",
		ref.Type == mcp.RefResource && ref.URI == harbourTemplate && arg == "name":
		for _, h := range harbours() {
			values = append(values, h.name)
		}
	case ref.Type == mcp.RefPrompt && ref.Name == planPrompt && arg == "days":
		values = []string{"1", "2", "3", "7", "14"}
	}
	typed := strings.ToLower(req.Params.Argument.Value)
	values = slices.DeleteFunc(values, func(v string) bool { return !strings.HasPrefix(v, typed) })
	return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: values, Total: len(values)}}, nil
}
