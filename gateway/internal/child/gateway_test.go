package child

func gateway() {}
