package mcp

// A Method is a method of the protocol, as a small number. It can label metrics, because it never
// holds text from the wire.
type Method uint8

// These are the methods of all revisions. Names of notifications begin with MethodNotify.
const (
	MethodOther Method = iota // any method that this package does not know

	MethodDiscover
	MethodListTools
	MethodCallTool
	MethodListResources
	MethodListResourceTemplates
	MethodReadResource
	MethodListPrompts
	MethodGetPrompt
	MethodComplete
	MethodListen

	// These exist only before 2026-07-28.
	MethodInitialize
	MethodPing
	MethodSetLevel
	MethodSubscribe
	MethodUnsubscribe

	MethodNotifyCancelled
	MethodNotifyInitialized
	MethodNotifyProgress
	MethodNotifyRootsListChanged

	methodCount
)

// NumMethods is the number of methods: every Method is less than NumMethods.
const NumMethods = int(methodCount)

var methodNames = [methodCount]string{
	MethodOther:                  "other",
	MethodDiscover:               "server/discover",
	MethodListTools:              "tools/list",
	MethodCallTool:               "tools/call",
	MethodListResources:          "resources/list",
	MethodListResourceTemplates:  "resources/templates/list",
	MethodReadResource:           "resources/read",
	MethodListPrompts:            "prompts/list",
	MethodGetPrompt:              "prompts/get",
	MethodComplete:               "completion/complete",
	MethodListen:                 "subscriptions/listen",
	MethodInitialize:             "initialize",
	MethodPing:                   "ping",
	MethodSetLevel:               "logging/setLevel",
	MethodSubscribe:              "resources/subscribe",
	MethodUnsubscribe:            "resources/unsubscribe",
	MethodNotifyCancelled:        "notifications/cancelled",
	MethodNotifyInitialized:      "notifications/initialized",
	MethodNotifyProgress:         "notifications/progress",
	MethodNotifyRootsListChanged: "notifications/roots/list_changed",
}

// String returns the method as the specification writes it. It returns "other" for MethodOther and
// for numbers that are not methods.
func (m Method) String() string {
	if m < methodCount {
		return methodNames[m]
	}
	return methodNames[MethodOther]
}

// methodOf returns the method with the name b. Method names are case-sensitive.
func methodOf(b []byte) Method {
	switch string(b) {
	case "server/discover":
		return MethodDiscover
	case "tools/list":
		return MethodListTools
	case "tools/call":
		return MethodCallTool
	case "resources/list":
		return MethodListResources
	case "resources/templates/list":
		return MethodListResourceTemplates
	case "resources/read":
		return MethodReadResource
	case "prompts/list":
		return MethodListPrompts
	case "prompts/get":
		return MethodGetPrompt
	case "completion/complete":
		return MethodComplete
	case "subscriptions/listen":
		return MethodListen
	case "initialize":
		return MethodInitialize
	case "ping":
		return MethodPing
	case "logging/setLevel":
		return MethodSetLevel
	case "resources/subscribe":
		return MethodSubscribe
	case "resources/unsubscribe":
		return MethodUnsubscribe
	case "notifications/cancelled":
		return MethodNotifyCancelled
	case "notifications/initialized":
		return MethodNotifyInitialized
	case "notifications/progress":
		return MethodNotifyProgress
	case "notifications/roots/list_changed":
		return MethodNotifyRootsListChanged
	}
	return MethodOther
}
