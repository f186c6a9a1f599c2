package httpparse

// parseWholeLines recognizes field names by these words: eight octets in lower
// case, the first one lowest. A dot stands for NUL, which a shift leaves in place
// of the octets after a name and its colon. The words are written out because the
// compiler does not compute them from the octets of a constant string.
const (
	wordHost     = 0x3a74736f68000000 // "...host:"
	wordAccept   = 0x3a74706563636100 // ".accept:"
	wordExpect   = 0x3a74636570786500 // ".expect:"
	wordOrigin   = 0x3a6e696769726f00 // ".origin:"
	wordAcceptE  = 0x652d747065636361 // "accept-e"
	wordNcoding  = 0x3a676e69646f636e // "ncoding:"
	wordAuthoriz = 0x7a69726f68747561 // "authoriz"
	wordAtion    = 0x3a6e6f6974610000 // "..ation:"
	wordConnecti = 0x697463656e6e6f63 // "connecti"
	wordOn       = 0x3a6e6f0000000000 // ".....on:"
	wordContent  = 0x2d746e65746e6f63 // "content-"
	wordEncoding = 0x676e69646f636e65 // "encoding"
	wordLength   = 0x3a6874676e656c00 // ".length:"
	wordType     = 0x3a65707974000000 // "...type:"
	wordLastEve  = 0x6576652d7473616c // "last-eve"
	wordNtID     = 0x3a64692d746e0000 // "..nt-id:"
	wordMCPMeth  = 0x6874656d2d70636d // "mcp-meth"
	wordOd       = 0x3a646f0000000000 // ".....od:"
	wordMCPName  = 0x656d616e2d70636d // "mcp-name"
	wordMCPPara  = 0x617261702d70636d // "mcp-para"
	wordM        = 0x2d6d000000000000 // "......m-"
	wordMCPProt  = 0x746f72702d70636d // "mcp-prot"
	wordOcolVer  = 0x7265762d6c6f636f // "ocol-ver"
	wordSion     = 0x3a6e6f6973000000 // "...sion:"
	wordMCPSess  = 0x737365732d70636d // "mcp-sess"
	wordIonID    = 0x3a64692d6e6f6900 // ".ion-id:"
	wordTransfer = 0x726566736e617274 // "transfer"
	wordEncodin  = 0x6e69646f636e652d // "-encodin"
	wordG        = 0x3a67000000000000 // "......g:"
	wordUserAge  = 0x6567612d72657375 // "user-age"
	wordNt       = 0x3a746e0000000000 // ".....nt:"
)

// spells reports whether w spells the word c, ignoring the case of letters. c
// consists of lower-case letters, "-", ":" and NUL. Bit 0x20, which is the case
// of a letter, is set in w only where c has a letter: elsewhere another octet
// would pass, such as CR for "-".
func spells(w, c uint64) bool { return w|(c&(0x40*ones))>>1 == c }
