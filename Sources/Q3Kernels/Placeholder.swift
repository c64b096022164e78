enum Q3KernelsPlaceholder {}
