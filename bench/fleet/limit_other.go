//go:build !unix

package fleet

import "errors"

// descriptorLimit returns a limit for systems that have none of their own. Package load opens no
// connections there.
func descriptorLimit() int { return 1024 }

// ownUsage returns an error: nothing is known.
func ownUsage() (Usage, error) { return Usage{}, errors.ErrUnsupported }
