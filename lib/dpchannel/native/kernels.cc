// The kernels in which a compressed se_e2_a potential spends most of a step, for this machine.
//
// DeePMD-kit's wheel is compiled for every x86-64 and stores the six coefficients of a quintic side
// by side, so its inner loop runs one number at a time. Here the tables are stored once more, by
// coefficient, and the loop over the embedding's width fills the vector unit. Same arithmetic, another
// order of additions: results differ by rounding. Networks in double or single precision.
//
// Preloaded into LAMMPS (`make native`, lib/dpchannel/md/native.py), these definitions stand in for
// those of libdeepmd.so, DeePMD-kit 3.2. What they do not cover is passed on to the original.
#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace {

constexpr int N_COEFFICIENT = 6;  // of a quintic
constexpr int N_BASIS = 4;        // s(r), and s(r) times the unit vector

// The grid of one table: two parts of different spacing.
template <typename T>
struct Grid {
  T lower, upper, max, fine, coarse;
  int n_fine, n_row;

  explicit Grid(const T* info)
      : lower(info[0]), upper(info[1]), max(info[2]), fine(info[3]), coarse(info[4]) {
    n_fine = int((upper - lower) / fine);
    n_row = n_fine + int((std::nextafter(max, lower) - upper) / coarse) + 1;
  }
};

// Where x lies: the row, x within the row, and how far x is beyond the table's ends.
template <typename T>
struct Place {
  int row;
  T x, beyond;

  Place(const Grid<T>& grid, T x_) : row(0), x(0), beyond(0) {
    if (x_ < grid.lower) {
      beyond = x_ - grid.lower;
    } else if (x_ < grid.upper) {
      row = int((x_ - grid.lower) / grid.fine);
      x = x_ - (row * grid.fine + grid.lower);
    } else {
      const T inside = std::min(x_, grid.max);
      const int coarse = x_ < grid.max ? int((x_ - grid.upper) / grid.coarse)
                                       : grid.n_row - 1 - grid.n_fine;
      row = grid.n_fine + coarse;
      x = inside - (coarse * grid.coarse + grid.upper);
      beyond = x_ - inside;
    }
  }
};

// Coefficients as [row][coefficient][width]; the source is [row][width][coefficient].
template <typename T>
class Table {
 public:
  Table(const T* source, int n_row, int width)
      : source_(source), n_row_(n_row), width_(width),
        values_(size_t(n_row) * width * N_COEFFICIENT) {
    for (int row = 0; row < n_row; ++row)
      for (int k = 0; k < width; ++k)
        for (int c = 0; c < N_COEFFICIENT; ++c)
          values_[(size_t(row) * N_COEFFICIENT + c) * width + k] = original(row, k, c);
  }

  const T* row(int row) const { return &values_[size_t(row) * N_COEFFICIENT * width_]; }

  // Another model may be loaded where an earlier one was: three rows must still agree.
  bool holds(const T* source, int n_row, int width) const {
    if (source != source_ || n_row != n_row_ || width != width_) return false;
    for (int r : {0, n_row / 2, n_row - 1})
      for (int k = 0; k < width; ++k)
        for (int c = 0; c < N_COEFFICIENT; ++c)
          if (row(r)[c * width + k] != original(r, k, c)) return false;
    return true;
  }

 private:
  T original(int row, int k, int c) const {
    return source_[(size_t(row) * width_ + k) * N_COEFFICIENT + c];
  }

  const T* source_;
  int n_row_, width_;
  std::vector<T> values_;
};

template <typename T>
const Table<T>& table_of(const T* source, int n_row, int width) {
  static std::mutex lock;
  static std::vector<std::unique_ptr<Table<T>>> known;  // one for each pair of types
  const std::lock_guard<std::mutex> guard(lock);
  for (const auto& table : known)
    if (table->holds(source, n_row, width)) return *table;
  known.push_back(std::make_unique<Table<T>>(source, n_row, width));
  return *known.back();
}

// Neighbours are sorted: the rest of a list is padding, equal to its last entry.
template <typename T>
bool is_padding(const T* em, T x, T last, bool sorted) {
  return sorted && x == last && em[1] == 0 && em[2] == 0 && em[3] == 0;
}

template <typename T>
void forward(T* out, const Table<T>& table, const Grid<T>& grid, const T* em_x,
             const T* em, int n_atom, int n_neighbour, int width, bool sorted) {
#pragma omp parallel for
  for (int i = 0; i < n_atom; ++i) {
    T* __restrict__ out0 = out + size_t(i) * N_BASIS * width;
    T* __restrict__ out1 = out0 + width;
    T* __restrict__ out2 = out1 + width;
    T* __restrict__ out3 = out2 + width;
    std::fill(out0, out0 + N_BASIS * width, T(0));
    const T* x = em_x + size_t(i) * n_neighbour;
    for (int j = 0; j < n_neighbour; ++j) {
      const T* l = em + (size_t(i) * n_neighbour + j) * N_BASIS;
      const bool rest = is_padding(l, x[j], x[n_neighbour - 1], sorted);
      const T times = rest ? n_neighbour - j : 1;
      const T l0 = times * l[0], l1 = times * l[1], l2 = times * l[2], l3 = times * l[3];
      const Place<T> at(grid, x[j]);
      const T* __restrict__ a = table.row(at.row);
      const T d = at.x, beyond = at.beyond;
#pragma omp simd
      for (int k = 0; k < width; ++k) {
        const T a1 = a[width + k], a2 = a[2 * width + k], a3 = a[3 * width + k];
        const T a4 = a[4 * width + k], a5 = a[5 * width + k];
        T g = a[k] + (a1 + (a2 + (a3 + (a4 + a5 * d) * d) * d) * d) * d;
        g += beyond * (a1 + (2 * a2 + (3 * a3 + (4 * a4 + 5 * a5 * d) * d) * d) * d);
        out0[k] += g * l0;
        out1[k] += g * l1;
        out2[k] += g * l2;
        out3[k] += g * l3;
      }
      if (rest) break;
    }
  }
}

template <typename T>
void backward(T* dx, T* dem, const Table<T>& table, const Grid<T>& grid, const T* em_x,
              const T* em, const T* dout, int n_atom, int n_neighbour, int width,
              bool sorted) {
  std::fill(dx, dx + size_t(n_atom) * n_neighbour, T(0));
  std::fill(dem, dem + size_t(n_atom) * n_neighbour * N_BASIS, T(0));
#pragma omp parallel for
  for (int i = 0; i < n_atom; ++i) {
    const T* __restrict__ r0 = dout + size_t(i) * N_BASIS * width;
    const T* __restrict__ r1 = r0 + width;
    const T* __restrict__ r2 = r1 + width;
    const T* __restrict__ r3 = r2 + width;
    const T* x = em_x + size_t(i) * n_neighbour;
    for (int j = 0; j < n_neighbour; ++j) {
      const size_t place = size_t(i) * n_neighbour + j;
      const T* l = em + place * N_BASIS;
      const bool rest = is_padding(l, x[j], x[n_neighbour - 1], sorted);
      const T times = rest ? n_neighbour - j : 1;
      const T l0 = l[0], l1 = l[1], l2 = l[2], l3 = l[3];
      const Place<T> at(grid, x[j]);
      const T* __restrict__ a = table.row(at.row);
      const T d = at.x, beyond = at.beyond;
      T sum = 0, sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
#pragma omp simd reduction(+ : sum, sum0, sum1, sum2, sum3)
      for (int k = 0; k < width; ++k) {
        const T a1 = a[width + k], a2 = a[2 * width + k], a3 = a[3 * width + k];
        const T a4 = a[4 * width + k], a5 = a[5 * width + k];
        const T slope = a1 + (2 * a2 + (3 * a3 + (4 * a4 + 5 * a5 * d) * d) * d) * d;
        const T g = a[k] + (a1 + (a2 + (a3 + (a4 + a5 * d) * d) * d) * d) * d + slope * beyond;
        sum += slope * (l0 * r0[k] + l1 * r1[k] + l2 * r2[k] + l3 * r3[k]);
        sum0 += g * r0[k];
        sum1 += g * r1[k];
        sum2 += g * r2[k];
        sum3 += g * r3[k];
      }
      dx[place] = times * sum;
      T* to = dem + place * N_BASIS;
      to[0] = times * sum0;
      to[1] = times * sum1;
      to[2] = times * sum2;
      to[3] = times * sum3;
      if (rest) break;
    }
  }
}

// Virial of a frame and of its atoms. The original adds 72 times a neighbour with locked instructions,
// which is half of a step; here a neighbour's four derivatives are summed first, on one thread.
void virials(double* virial, double* atom_virial, const double* net, const double* env,
             const double* rij, const int* neighbours, int n_atom, int n_all, int n_neighbour) {
  std::fill(virial, virial + 9, 0.0);
  std::fill(atom_virial, atom_virial + size_t(n_all) * 9, 0.0);
  for (size_t pair = 0; pair < size_t(n_atom) * n_neighbour; ++pair) {
    const int j = neighbours[pair];
    if (j < 0) continue;
    const double* n = net + pair * N_BASIS;
    const double* e = env + pair * N_BASIS * 3;
    const double* r = rij + pair * 3;
    double* to = atom_virial + size_t(j) * 9;
    for (int d = 0; d < 3; ++d) {
      const double f = n[0] * e[d] + n[1] * e[3 + d] + n[2] * e[6 + d] + n[3] * e[9 + d];
      for (int k = 0; k < 3; ++k) {
        virial[d * 3 + k] += f * r[k];
        to[d * 3 + k] += f * r[k];
      }
    }
  }
}

// The next definition of a symbol: DeePMD-kit's own.
template <typename Function>
Function original(const char* symbol) {
  void* found = dlsym(RTLD_NEXT, symbol);
  if (found == nullptr) {
    std::fprintf(stderr, "native kernels: %s is not in this DeePMD-kit; run with NATIVE=0\n", symbol);
    std::abort();
  }
  return reinterpret_cast<Function>(found);
}

}  // namespace

namespace deepmd {

template <typename T>
void tabulate_fusion_se_a_cpu(T*, const T*, const T*, const T*, const T*, const T*, int, int, int,
                              bool, int);
template <typename T>
void tabulate_fusion_se_a_grad_cpu(T*, T*, T*, const T*, const T*, const T*, const T*, const T*,
                                   const T*, int, int, int, bool, int);

// Instead of DeePMD-kit's own, whose symbol is passed on for what is not covered here.
template <typename T>
void tabulate(const char* symbol, T* out, const T* table, const T* info, const T* em_x, const T* em,
              const T* two, int n_atom, int n_neighbour, int width, bool sorted, int n_basis) {
  if (two != nullptr || n_basis != N_BASIS || n_neighbour < 1) {
    static const auto theirs = original<decltype(&tabulate_fusion_se_a_cpu<T>)>(symbol);
    theirs(out, table, info, em_x, em, two, n_atom, n_neighbour, width, sorted, n_basis);
    return;
  }
  const Grid<T> grid(info);
  forward(out, table_of(table, grid.n_row, width), grid, em_x, em, n_atom, n_neighbour, width,
          sorted);
}

template <typename T>
void tabulate_grad(const char* symbol, T* dx, T* dem, T* dtwo, const T* table, const T* info,
                   const T* em_x, const T* em, const T* two, const T* dout, int n_atom,
                   int n_neighbour, int width, bool sorted, int n_basis) {
  if (two != nullptr || n_basis != N_BASIS || n_neighbour < 1) {
    static const auto theirs = original<decltype(&tabulate_fusion_se_a_grad_cpu<T>)>(symbol);
    theirs(dx, dem, dtwo, table, info, em_x, em, two, dout, n_atom, n_neighbour, width, sorted,
           n_basis);
    return;
  }
  const Grid<T> grid(info);
  backward(dx, dem, table_of(table, grid.n_row, width), grid, em_x, em, dout, n_atom, n_neighbour,
           width, sorted);
}

template <>
void tabulate_fusion_se_a_cpu<double>(double* out, const double* table, const double* info, const double* em_x,
                                   const double* em, const double* two, int n_atom, int n_neighbour,
                                   int width, bool sorted, int n_basis) {
  tabulate("_ZN6deepmd24tabulate_fusion_se_a_cpuIdEEvPT_PKS1_S4_S4_S4_S4_iiibi", out, table, info,
           em_x, em, two, n_atom, n_neighbour, width, sorted, n_basis);
}

template <>
void tabulate_fusion_se_a_grad_cpu<double>(double* dx, double* dem, double* dtwo, const double* table,
                                        const double* info, const double* em_x, const double* em,
                                        const double* two, const double* dout, int n_atom,
                                        int n_neighbour, int width, bool sorted, int n_basis) {
  tabulate_grad("_ZN6deepmd29tabulate_fusion_se_a_grad_cpuIdEEvPT_S2_S2_PKS1_S4_S4_S4_S4_S4_iiibi",
                dx, dem, dtwo, table, info, em_x, em, two, dout, n_atom, n_neighbour, width, sorted,
                n_basis);
}

template <>
void tabulate_fusion_se_a_cpu<float>(float* out, const float* table, const float* info, const float* em_x,
                                   const float* em, const float* two, int n_atom, int n_neighbour,
                                   int width, bool sorted, int n_basis) {
  tabulate("_ZN6deepmd24tabulate_fusion_se_a_cpuIfEEvPT_PKS1_S4_S4_S4_S4_iiibi", out, table, info,
           em_x, em, two, n_atom, n_neighbour, width, sorted, n_basis);
}

template <>
void tabulate_fusion_se_a_grad_cpu<float>(float* dx, float* dem, float* dtwo, const float* table,
                                        const float* info, const float* em_x, const float* em,
                                        const float* two, const float* dout, int n_atom,
                                        int n_neighbour, int width, bool sorted, int n_basis) {
  tabulate_grad("_ZN6deepmd29tabulate_fusion_se_a_grad_cpuIfEEvPT_S2_S2_PKS1_S4_S4_S4_S4_S4_iiibi",
                dx, dem, dtwo, table, info, em_x, em, two, dout, n_atom, n_neighbour, width, sorted,
                n_basis);
}

template <typename T>
void prod_virial_a_cpu(T*, T*, const T*, const T*, const T*, const int*, int, int, int);

template <>
void prod_virial_a_cpu<double>(double* virial, double* atom_virial, const double* net,
                               const double* env, const double* rij, const int* neighbours,
                               int n_atom, int n_all, int n_neighbour) {
  virials(virial, atom_virial, net, env, rij, neighbours, n_atom, n_all, n_neighbour);
}

}  // namespace deepmd
