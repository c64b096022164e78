enum Q3TokenizerPlaceholder {}
