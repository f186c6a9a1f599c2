package mcp

// This file says which types are [Params], [RequestParams] and [Result].

func (*CallToolParams) isParams()                    {}
func (*CallToolParamsRaw) isParams()                 {}
func (*CancelledParams) isParams()                   {}
func (*CompleteParams) isParams()                    {}
func (*CreateMessageParams) isParams()               {}
func (*CreateMessageWithToolsParams) isParams()      {}
func (*DiscoverParams) isParams()                    {}
func (*ElicitParams) isParams()                      {}
func (*ElicitationCompleteParams) isParams()         {}
func (*GetPromptParams) isParams()                   {}
func (*InitializeParams) isParams()                  {}
func (*InitializedParams) isParams()                 {}
func (*ListPromptsParams) isParams()                 {}
func (*ListResourceTemplatesParams) isParams()       {}
func (*ListResourcesParams) isParams()               {}
func (*ListRootsParams) isParams()                   {}
func (*ListToolsParams) isParams()                   {}
func (*LoggingMessageParams) isParams()              {}
func (*PingParams) isParams()                        {}
func (*ProgressNotificationParams) isParams()        {}
func (*PromptListChangedParams) isParams()           {}
func (*ReadResourceParams) isParams()                {}
func (*ResourceListChangedParams) isParams()         {}
func (*ResourceUpdatedNotificationParams) isParams() {}
func (*RootsListChangedParams) isParams()            {}
func (*SetLoggingLevelParams) isParams()             {}
func (*SubscribeParams) isParams()                   {}
func (*SubscriptionsAcknowledgedParams) isParams()   {}
func (*SubscriptionsListenParams) isParams()         {}
func (*ToolListChangedParams) isParams()             {}
func (*UnsubscribeParams) isParams()                 {}

func (*CallToolResult) isResult()               {}
func (*CompleteResult) isResult()               {}
func (*CreateMessageResult) isResult()          {}
func (*CreateMessageWithToolsResult) isResult() {}
func (*DiscoverResult) isResult()               {}
func (*ElicitResult) isResult()                 {}
func (*GetPromptResult) isResult()              {}
func (*InitializeResult) isResult()             {}
func (*ListPromptsResult) isResult()            {}
func (*ListResourceTemplatesResult) isResult()  {}
func (*ListResourcesResult) isResult()          {}
func (*ListRootsResult) isResult()              {}
func (*ListToolsResult) isResult()              {}
func (*ReadResourceResult) isResult()           {}
func (*SubscriptionsListenResult) isResult()    {}

// GetProgressToken implements [RequestParams].
func (p *CallToolParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *CallToolParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *CallToolParamsRaw) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *CallToolParamsRaw) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *CancelledParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *CancelledParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *CreateMessageParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *CreateMessageParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *CreateMessageWithToolsParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *CreateMessageWithToolsParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *DiscoverParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *DiscoverParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *ElicitParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *ElicitParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *GetPromptParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *GetPromptParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *InitializeParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *InitializeParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *InitializedParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *InitializedParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *ListPromptsParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *ListPromptsParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *ListResourceTemplatesParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *ListResourceTemplatesParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *ListResourcesParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *ListResourcesParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *ListRootsParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *ListRootsParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *ListToolsParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *ListToolsParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *LoggingMessageParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *LoggingMessageParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *PingParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *PingParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *PromptListChangedParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *PromptListChangedParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *ReadResourceParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *ReadResourceParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *ResourceListChangedParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *ResourceListChangedParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *RootsListChangedParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *RootsListChangedParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *SetLoggingLevelParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *SetLoggingLevelParams) SetProgressToken(token any) { setProgressToken(p, token) }

// GetProgressToken implements [RequestParams].
func (p *ToolListChangedParams) GetProgressToken() any { return progressTokenOf(p) }

// SetProgressToken implements [RequestParams].
func (p *ToolListChangedParams) SetProgressToken(token any) { setProgressToken(p, token) }
