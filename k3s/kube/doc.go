// Package kube applies objects to any Kubernetes API by server-side apply.
package kube
