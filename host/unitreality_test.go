package host_test

func unitRealities() []reality { return nil }
