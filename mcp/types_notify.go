package mcp

// LoggingLevel is the name of a severity of RFC 5424, section 6.2.1.
type LoggingLevel string

// These are the levels, the least severe first.
const (
	LevelDebug     LoggingLevel = "debug"
	LevelInfo      LoggingLevel = "info"
	LevelNotice    LoggingLevel = "notice"
	LevelWarning   LoggingLevel = "warning"
	LevelError     LoggingLevel = "error"
	LevelCritical  LoggingLevel = "critical"
	LevelAlert     LoggingLevel = "alert"
	LevelEmergency LoggingLevel = "emergency"
)

// rank orders the levels from 1 for debug to 8 for emergency. It is 0 if l is not a level.
func (l LoggingLevel) rank() int {
	switch l {
	case LevelDebug:
		return 1
	case LevelInfo:
		return 2
	case LevelNotice:
		return 3
	case LevelWarning:
		return 4
	case LevelError:
		return 5
	case LevelCritical:
		return 6
	case LevelAlert:
		return 7
	case LevelEmergency:
		return 8
	}
	return 0
}

// LoggingMessageParams are the params of notifications/message. Data is any value that marshals;
// nil becomes null.
type LoggingMessageParams struct {
	Meta   `json:"_meta,omitempty"`
	Data   any          `json:"data"`
	Level  LoggingLevel `json:"level"`
	Logger string       `json:"logger,omitempty"`
}

// ProgressNotificationParams are the params of notifications/progress.
// ProgressToken is a string or an integer. Progress must grow from one
// notification to the next.
type ProgressNotificationParams struct {
	Meta          `json:"_meta,omitempty"`
	ProgressToken any     `json:"progressToken"`
	Message       string  `json:"message,omitempty"` // since 2025-03-26
	Progress      float64 `json:"progress"`
	Total         float64 `json:"total,omitzero"` // 0 if unknown
}

// CancelledParams are the params of notifications/cancelled. RequestID is a
// string or an integer.
type CancelledParams struct {
	Meta      `json:"_meta,omitempty"`
	Reason    string `json:"reason,omitempty"`
	RequestID any    `json:"requestId"`
}

// ResourceUpdatedNotificationParams are the params of notifications/resources/updated.
type ResourceUpdatedNotificationParams struct {
	Meta `json:"_meta,omitempty"`
	URI  string `json:"uri"`
}

// ElicitationCompleteParams are the params of notifications/elicitation/complete,
// which only 2025-11-25 has.
type ElicitationCompleteParams struct {
	Meta          `json:"_meta,omitempty"`
	ElicitationID string `json:"elicitationId"`
}

// NotificationSubscriptions is the filter of subscriptions/listen: the changes that the client
// wants to be notified of.
type NotificationSubscriptions struct {
	ToolsListChanged      bool     `json:"toolsListChanged,omitzero"`
	PromptsListChanged    bool     `json:"promptsListChanged,omitzero"`
	ResourcesListChanged  bool     `json:"resourcesListChanged,omitzero"`
	ResourceSubscriptions []string `json:"resourceSubscriptions,omitempty"` // URIs
}

// SubscriptionsListenParams are the params of subscriptions/listen.
type SubscriptionsListenParams struct {
	Meta          `json:"_meta,omitempty"`
	Notifications *NotificationSubscriptions `json:"notifications"`
}

// SubscriptionsAcknowledgedParams are the params of
// notifications/subscriptions/acknowledged: the part of the filter that the
// server agrees to.
type SubscriptionsAcknowledgedParams struct {
	Meta          `json:"_meta,omitempty"`
	Notifications NotificationSubscriptions `json:"notifications"`
}

// SubscriptionsListenResult is the result of subscriptions/listen. A server sends it when it ends
// the subscription itself.
type SubscriptionsListenResult struct {
	Meta `json:"_meta"`
}

// ToolListChangedParams are the params of notifications/tools/list_changed.
type ToolListChangedParams struct {
	Meta `json:"_meta,omitempty"`
}

// PromptListChangedParams are the params of notifications/prompts/list_changed.
type PromptListChangedParams struct {
	Meta `json:"_meta,omitempty"`
}

// ResourceListChangedParams are the params of notifications/resources/list_changed.
type ResourceListChangedParams struct {
	Meta `json:"_meta,omitempty"`
}
