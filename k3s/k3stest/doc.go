// Package k3stest is a Kubernetes API in this process, for tests of package kube and of what stands on it.
package k3stest
