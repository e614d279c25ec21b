package cli

import "errors"

// replaceProcess runs another program in this process's place, which Windows
// cannot.
func replaceProcess(string, []string, []string) error { return errors.ErrUnsupported }
