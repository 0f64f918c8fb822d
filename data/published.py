"""Published accuracies, as fractions: Tables 1 to 3 of Koch, Zemel & Salakhutdinov (2015)."""

# 20-way one-shot accuracy on Lake's official episodes.
CONVNET, DENSE_NET, NEAREST, HAUSDORFF, HUMAN = 0.920, 0.583, 0.217, 0.612, 0.955

# 10-way one-shot accuracy on MNIST.
MNIST_CONVNET, MNIST_NEAREST = 0.703, 0.265

# Table 1, verification: number of pairs as the paper counts them, distorted or not, accuracy.
TABLE_1 = (
    ("30k", False, 0.9061),
    ("90k", False, 0.9154),
    ("150k", False, 0.9163),
    ("30k", True, 0.9190),
    ("90k", True, 0.9315),
    ("150k", True, 0.9342),
)

# Table 2, one-shot recognition: the results of other authors that the paper cites.
CITED_ACCURACY = {
    "humans": HUMAN,
    "hierarchical Bayesian program learning": 0.952,
    "affine model": 0.818,
    "hierarchical deep": 0.652,
    "deep Boltzmann machine": 0.620,
    "simple stroke": 0.352,
}

# Table 2: the paper's own results.
KOCH_ACCURACY = {
    "convolutional siamese net (the paper's)": CONVNET,
    "siamese net without convolutions": DENSE_NET,
    "1-nearest neighbour": NEAREST,
}
