import Q3Model
