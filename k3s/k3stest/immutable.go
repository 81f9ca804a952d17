package k3stest

import (
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// fixed are fields that cannot be changed, by kind (k8s.io/kubernetes, pkg/apis/*/validation).
var fixed = map[string]string{
	"Deployment":            "spec.selector",
	"DaemonSet":             "spec.selector",
	"StatefulSet":           "spec.selector spec.serviceName spec.podManagementPolicy spec.volumeClaimTemplates",
	"Job":                   "spec.selector spec.template",
	"RoleBinding":           "roleRef",
	"ClusterRoleBinding":    "roleRef",
	"StorageClass":          "provisioner parameters reclaimPolicy volumeBindingMode",
	"Secret":                "type",
	"PersistentVolumeClaim": "spec.storageClassName spec.volumeName spec.accessModes spec.volumeMode",
}

func immutable(k kind, before, after *unstructured.Unstructured) error {
	var errs field.ErrorList
	for _, path := range strings.Fields(fixed[k.gvk.Kind]) {
		if k.model != nil {
			break
		}
		parts := strings.Split(path, ".")
		a, _, _ := unstructured.NestedFieldNoCopy(before.Object, parts...)
		b, _, _ := unstructured.NestedFieldNoCopy(after.Object, parts...)
		if !reflect.DeepEqual(a, b) {
			errs = append(errs, field.Invalid(field.NewPath(path), b, "field is immutable"))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(k.gvk.GroupKind(), after.GetName(), errs)
}
