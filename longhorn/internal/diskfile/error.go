package diskfile

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// refuse returns the error of a guard that says no: at, with the reason.
func refuse(at lab.Error, format string, args ...any) error {
	at.Err = fmt.Errorf("%w: %w", lab.ErrRefused, fmt.Errorf(format, args...))
	return &at
}
