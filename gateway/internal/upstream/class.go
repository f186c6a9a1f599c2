package upstream

// A Class is a set of client capabilities. Fronts with different classes do not share a session,
// because an upstream may offer more to a client that can do more.
type Class uint8

const (
	ClassForms         Class = 1 << iota // elicitation by a form
	ClassURLs                            // elicitation by a URL
	ClassSampling                        // sampling
	ClassSamplingTools                   // sampling with tools
	ClassRoots                           // roots
)

// appendCapabilities appends the ClientCapabilities object that declares k.
func (k Class) appendCapabilities(dst []byte) []byte {
	dst = append(dst, '{')
	start := len(dst)
	add := func(text string) {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, text...)
	}
	switch k & (ClassForms | ClassURLs) {
	case ClassForms:
		add(`"elicitation":{"form":{}}`)
	case ClassURLs:
		add(`"elicitation":{"url":{}}`)
	case ClassForms | ClassURLs:
		add(`"elicitation":{"form":{},"url":{}}`)
	}
	switch {
	case k&ClassSamplingTools != 0:
		add(`"sampling":{"tools":{}}`)
	case k&ClassSampling != 0:
		add(`"sampling":{}`)
	}
	if k&ClassRoots != 0 {
		add(`"roots":{}`)
	}
	return append(dst, '}')
}

// A Level says which log messages of the upstream a call wants.
type Level uint8

const (
	LevelNone    Level = iota // no messages
	LevelDefault              // what the upstream sends of its own accord
	LevelDebug
	LevelInfo
	LevelNotice
	LevelWarning
	LevelError
	LevelCritical
	LevelAlert
	LevelEmergency
)

var levelNames = [...]string{
	LevelDebug: "debug", LevelInfo: "info", LevelNotice: "notice", LevelWarning: "warning",
	LevelError: "error", LevelCritical: "critical", LevelAlert: "alert", LevelEmergency: "emergency",
}

// String returns the name of l in the protocol, or "" if it has none.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return ""
}

// ParseLevel returns the level with the name.
func ParseLevel(name string) (Level, bool) {
	for l := LevelDebug; l <= LevelEmergency; l++ {
		if levelNames[l] == name {
			return l, true
		}
	}
	return LevelNone, false
}

// wants reports whether a call with the level gets messages of the level m.
func (l Level) wants(m Level) bool {
	return l == LevelDefault || l >= LevelDebug && m >= l
}
