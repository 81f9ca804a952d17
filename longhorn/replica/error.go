package replica

import (
	"errors"
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// refuse returns the error of a guard that says no: at, with the reason.
func refuse(at lab.Error, format string, args ...any) error {
	at.Err = fmt.Errorf("%w: %w", lab.ErrRefused, fmt.Errorf(format, args...))
	return &at
}

// located returns err as it is if it says where it happened, otherwise at with err as its cause.
func located(at lab.Error, err error) error {
	var le *lab.Error
	if errors.As(err, &le) {
		return err
	}
	at.Err = err
	return &at
}

// The next steps that several errors give.
const (
	failingHint     = "if the disk is failing, copy it first (ddrescue); otherwise use another replica"
	unsupportedHint = "run it on Linux, on the machine that owns the disk"
	inUseHint       = "detach the volume (scale its workload down), or stop that process"
	changedHint     = "detach the volume, make sure that nothing writes to the directory, and start again"
	layersHint      = "give the directory that holds volume-head-*.img"
	v2Hint          = "v2 volumes can be read through a running Longhorn, or restored from a backup, only"
	encryptedHint   = "merge the LUKS container with --encrypted, then open it with cryptsetup and the StorageClass's " +
		"secret (CRYPTO_KEY_VALUE)"
)
