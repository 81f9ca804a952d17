package kube

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The settings that hints of this package name.
const (
	SettingIdentity = "identity" // [Cluster.Identity]; its value is the UID that the cluster has
	SettingTakeOver = "takeOver" // [Spec.TakeOver]; its value is the name of a field manager
)

// fail returns an error of the server, or of the way there, as one of this module.
func (c *client) fail(op, path string, err error) error {
	sent := !lab.SafeToRetry(err)
	var request *url.Error // it only repeats the address
	if errors.As(err, &request) {
		err = request.Err
	}
	var ours *lab.Error // of the boundary, with its hint
	if errors.As(err, &ours) {
		err = ours
	}
	e := &lab.Error{Op: op, Target: c.cluster.name(), Path: path}
	kind, hint := kindOf(err)
	e.Hint = hint
	if kind == nil || errors.Is(err, kind) {
		e.Err = err
	} else {
		e.Err = fmt.Errorf("%w: %w", kind, err)
	}
	var dial *net.OpError
	if !sent || errors.As(err, &dial) && dial.Op == "dial" {
		return lab.NotSent(e)
	}
	return e
}

// kindOf returns which of the kinds of failure an error is, nil if none, and what to do about it.
//
//lint:ignore ST1008 the error is the kind of another
func kindOf(err error) (kind error, hint string) {
	if lab.Kind(err) != nil {
		return lab.Kind(err), ""
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return lab.ErrUnreachable, ""
	}
	switch s := status.Status(); {
	case apierrors.IsNotFound(err):
		return lab.ErrNotFound, ""
	case apierrors.IsUnauthorized(err):
		return lab.ErrUnauthorized, "see whether the kubeconfig is still that of the cluster: its certificates expire after a year"
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return lab.ErrBlocked, "wait until the namespace is gone, then plan again"
	case apierrors.IsForbidden(err) && strings.Contains(s.Message, "exceeded quota"):
		return lab.ErrRefused, ""
	case apierrors.IsForbidden(err):
		return lab.ErrUnauthorized, ""
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return lab.ErrConflict, ""
	case untyped(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err), s.Code == http.StatusUnsupportedMediaType:
		return lab.ErrInvalid, ""
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return lab.ErrTimeout, ""
	case apierrors.IsTooManyRequests(err), apierrors.IsServiceUnavailable(err):
		return lab.ErrBlocked, ""
	case apierrors.IsInternalError(err) && strings.Contains(s.Message, "failed calling webhook"):
		return lab.ErrBlocked, "a webhook that must admit the object does not answer: see whether its pods run"
	}
	return nil, ""
}

// untyped reports whether an apply has a field, or a value, that the schema of its kind does not know. The
// server answers that it has an internal error (apimachinery, managedfields/internal/structuredmerge.go).
func untyped(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && strings.Contains(status.Status().Message, "failed to create typed patch object")
}

// conflicts returns the field managers that own fields which an apply would change, and the fields of each,
// from a conflict of server-side apply; nil if the error is another.
func conflicts(err error) map[string][]string {
	var status apierrors.APIStatus
	if !apierrors.IsConflict(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var found map[string][]string
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		// conflict with "kubectl" using apps/v1: .spec.replicas (structured-merge-diff, merge/conflict.go)
		manager := "another manager"
		if _, rest, ok := strings.Cut(cause.Message, `"`); ok {
			manager, _, _ = strings.Cut(rest, `"`)
		}
		if found == nil {
			found = map[string][]string{}
		}
		found[manager] = append(found[manager], strings.TrimPrefix(cause.Field, "."))
	}
	return found
}

// immutable reports whether the server refuses to change a field that can only be set when an object is
// created.
func immutable(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) {
		return false
	}
	says := func(text string) bool {
		return strings.Contains(text, "immutable") || strings.Contains(text, "updates to ") && strings.Contains(text, "are forbidden") ||
			strings.Contains(text, "may not be changed") || strings.Contains(text, "cannot be changed") ||
			strings.Contains(text, "may not change") || strings.Contains(text, "not be unset")
	}
	s := status.Status()
	if s.Details != nil {
		for _, cause := range s.Details.Causes {
			if says(cause.Message) {
				return true
			}
		}
	}
	return says(s.Message)
}
