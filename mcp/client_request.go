package mcp

// A ClientRequest is a request or a notification to a client, with the params of its method.
type ClientRequest[P Params] struct {
	Session *ClientSession
	Params  P
}

// GetSession returns r.Session, which is a *[ClientSession].
func (r *ClientRequest[P]) GetSession() Session { return r.Session }

// GetParams returns r.Params.
func (r *ClientRequest[P]) GetParams() Params { return r.Params }

// GetExtra returns nil.
func (r *ClientRequest[P]) GetExtra() *RequestExtra { return nil }

func (*ClientRequest[P]) isRequest() {}

// The handlers of [ClientOptions] get these.
type (
	CreateMessageRequest                   = ClientRequest[*CreateMessageParams]
	CreateMessageWithToolsRequest          = ClientRequest[*CreateMessageWithToolsParams]
	ElicitRequest                          = ClientRequest[*ElicitParams]
	ElicitationCompleteNotificationRequest = ClientRequest[*ElicitationCompleteParams]
	ListRootsRequest                       = ClientRequest[*ListRootsParams]
	LoggingMessageRequest                  = ClientRequest[*LoggingMessageParams]
	ProgressNotificationClientRequest      = ClientRequest[*ProgressNotificationParams]
	PromptListChangedRequest               = ClientRequest[*PromptListChangedParams]
	ResourceListChangedRequest             = ClientRequest[*ResourceListChangedParams]
	ResourceUpdatedNotificationRequest     = ClientRequest[*ResourceUpdatedNotificationParams]
	ToolListChangedRequest                 = ClientRequest[*ToolListChangedParams]
)
