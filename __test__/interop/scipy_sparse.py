"""A sparse matrix through SciPy: reads IN.npz, says what is in it, and writes twice its values.

scipy_sparse.py IN OUT [FORM]
"""
import json
import sys

import numpy as np
import scipy.sparse

matrix = scipy.sparse.load_npz(sys.argv[1])
print(json.dumps({
    "format": matrix.format, "shape": matrix.shape, "dtype": str(matrix.dtype),
    "rows": matrix.toarray().tolist(),
}))
twice = (matrix * 2).astype(np.float64)
twice = twice.asformat(sys.argv[3] if len(sys.argv) > 3 else "csr")
scipy.sparse.save_npz(sys.argv[2], twice)
