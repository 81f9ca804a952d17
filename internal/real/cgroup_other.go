//go:build !linux

package real

import (
	"context"
	"errors"
	"os/exec"
)

func cgroupRoot() (string, error) { return "", errors.New("boot machines: needs Linux") }

func enterCgroup(*exec.Cmd, string) (leave func() error, err error) {
	return nil, errors.New("boot machines: needs Linux")
}

func killCgroup(context.Context, string) error { return nil }

func removeCgroup(string) error { return nil }
