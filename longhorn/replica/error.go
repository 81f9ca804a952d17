package replica

import (
	"errors"
	"fmt"
	"slices"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// refuse returns the error of a guard that says no: at, with the reason.
func refuse(at lab.Error, format string, args ...any) error {
	at.Err = fmt.Errorf("%w: %w", lab.ErrRefused, fmt.Errorf(format, args...))
	return &at
}

// steps are the next steps that an error gives: the first, and those that can be taken instead, whose hints
// begin with "or".
type steps []step

type step struct {
	hint string
	set  lab.Setting
}

// do returns one next step, for which nothing needs to be set.
func do(hint string) steps { return steps{{hint: hint}} }

// set returns one next step: to set that to the value, empty if only the user knows it.
func set(hint, setting, value string) steps { return steps{}.or(hint, setting, value) }

// or returns the steps with one more, for which that is to be set.
func (s steps) or(hint, setting, value string) steps {
	return append(slices.Clip(s), step{hint, lab.Setting{Name: setting, Value: value}})
}

// refuse is [refuse], with these next steps: an error has one, the others are errors around its cause that
// add nothing to its text.
func (s steps) refuse(at lab.Error, format string, args ...any) error {
	err := fmt.Errorf("%w: %w", lab.ErrRefused, fmt.Errorf(format, args...))
	at.Hint, at.Set, at.Err = s[0].hint, s[0].set, s[1:].around(err)
	return &at
}

func (s steps) around(err error) error {
	for _, other := range slices.Backward(s) {
		err = &lab.Error{Hint: "or " + other.hint, Set: other.set, Err: err}
	}
	return err
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
)

// asContainer is the next step when a volume is encrypted.
func asContainer() steps {
	return set("merge its LUKS container, to be opened with cryptsetup and the StorageClass's secret (CRYPTO_KEY_VALUE)",
		SettingEncrypted, "")
}
