#include "hook/residuals.hpp"

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>
#include <muster/train/hook.hpp>

#include <algorithm>
#include <cmath>

namespace muster::train {
namespace {

/// A gradient as a matrix of `rows` x `columns`, by rows, and its factors P (rows x rank) and Q
/// (columns x rank), kept by columns of theirs.
struct Matrix {
    std::span<float> values;
    std::span<float> residual;
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::span<float> p;
    std::span<float> q;
};

/// P = M Q
void multiply(const Matrix& m, std::size_t rank) {
    for (std::size_t k = 0; k < rank; ++k) {
        for (std::size_t i = 0; i < m.rows; ++i) {
            double sum = 0;
            for (std::size_t j = 0; j < m.columns; ++j) {
                sum += double{m.values[i * m.columns + j]} * double{m.q[k * m.columns + j]};
            }
            m.p[k * m.rows + i] = static_cast<float>(sum);
        }
    }
}

/// Q = M^T P
void multiply_transposed(const Matrix& m, std::size_t rank) {
    for (std::size_t k = 0; k < rank; ++k) {
        const std::span<float> q = m.q.subspan(k * m.columns, m.columns);
        std::fill(q.begin(), q.end(), 0.0F);
        for (std::size_t i = 0; i < m.rows; ++i) {
            const float factor = m.p[k * m.rows + i];
            for (std::size_t j = 0; j < m.columns; ++j) {
                q[j] += m.values[i * m.columns + j] * factor;
            }
        }
    }
}

/// The columns become orthonormal, one after another (Gram and Schmidt's way). One that depends on
/// those before becomes 0.
void orthogonalise(std::span<float> columns, std::size_t rows, std::size_t rank) {
    for (std::size_t k = 0; k < rank; ++k) {
        const std::span<float> column = columns.subspan(k * rows, rows);
        const auto dot = [&](std::span<const float> other) {
            double sum = 0;
            for (std::size_t i = 0; i < rows; ++i) {
                sum += double{column[i]} * double{other[i]};
            }
            return sum;
        };
        const double before = dot(column);
        for (std::size_t earlier = 0; earlier < k; ++earlier) {
            const std::span<const float> other = columns.subspan(earlier * rows, rows);
            const double share = dot(other);
            for (std::size_t i = 0; i < rows; ++i) {
                column[i] -= static_cast<float>(share * double{other[i]});
            }
        }
        const double square = dot(column);
        // Below the rounding errors of what was subtracted there is no direction left.
        const double scale = square > 1e-12 * before ? 1 / std::sqrt(square) : 0;
        for (float& value : column) {
            value = static_cast<float>(double{value} * scale);
        }
    }
}

class PowerReduction final : public HookedReduction {
public:
    PowerReduction(std::vector<Matrix> matrices,
                   std::vector<std::span<float>> plain,
                   std::size_t rank,
                   Backend& backend)
        : matrices_(std::move(matrices)), plain_(std::move(plain)), rank_(rank), backend_(backend) {
        std::size_t p_size = 0;
        std::size_t q_size = 0;
        for (const Matrix& m : matrices_) {
            p_size += m.rows * rank_;
            q_size += m.columns * rank_;
        }
        for (const auto piece : plain_) {
            p_size += piece.size();
        }
        p_.resize(p_size);
        q_.resize(q_size);
        float* next = p_.data();
        for (Matrix& m : matrices_) {
            m.p = {next, m.rows * rank_};
            next += m.p.size();
            multiply(m, rank_);
        }
        for (const auto piece : plain_) {
            next = std::copy(piece.begin(), piece.end(), next);
        }
        event_ = backend_.all_reduce(std::span(p_));
    }

    bool advance() override {
        event_.wait();
        if (!is_second_) {
            is_second_ = true;
            take_plain();
            float* next = q_.data();
            for (Matrix& m : matrices_) {
                orthogonalise(m.p, m.rows, rank_);
                multiply_transposed(m, rank_);
                next = std::copy(m.q.begin(), m.q.end(), next);
            }
            if (!matrices_.empty()) {
                // Before the sum: what this member's own factors leave out.
                for (const Matrix& m : matrices_) {
                    leave_out(m);
                }
                event_ = backend_.all_reduce(std::span(q_));
                return true;
            }
            return false;
        }
        const float* next = q_.data();
        for (const Matrix& m : matrices_) {
            std::copy_n(next, m.q.size(), m.q.begin());
            next += m.q.size();
            approximate(m, m.values);
        }
        return false;
    }

private:
    void take_plain() {
        const float* next = p_.data();
        for (const Matrix& m : matrices_) {
            next += m.p.size();
        }
        for (const auto piece : plain_) {
            std::copy_n(next, piece.size(), piece.begin());
            next += piece.size();
        }
    }

    /// `to` becomes P Q^T.
    void approximate(const Matrix& m, std::span<float> to) const {
        for (std::size_t i = 0; i < m.rows; ++i) {
            const std::span<float> row = to.subspan(i * m.columns, m.columns);
            std::fill(row.begin(), row.end(), 0.0F);
            for (std::size_t k = 0; k < rank_; ++k) {
                const float factor = m.p[k * m.rows + i];
                for (std::size_t j = 0; j < m.columns; ++j) {
                    row[j] += factor * m.q[k * m.columns + j];
                }
            }
        }
    }

    /// The sum of all members' approximations is P (sum of Q)^T, so that each one's own part is
    /// P Q^T with its own Q: what it lacks is what this member sends the next time.
    void leave_out(const Matrix& m) const {
        approximate(m, m.residual);
        for (std::size_t i = 0; i < m.values.size(); ++i) {
            m.residual[i] = m.values[i] - m.residual[i];
        }
    }

    std::vector<Matrix> matrices_;
    std::vector<std::span<float>> plain_;
    std::size_t rank_;
    bool is_second_ = false;
    Backend& backend_;
    std::vector<float> p_; ///< Of all matrices, then what travels as it is.
    std::vector<float> q_;
    Event event_;
};

class PowerSgdHook final : public GradientHook {
public:
    explicit PowerSgdHook(PowerSgdOptions options) : options_(std::move(options)) {}

    std::string_view name() const noexcept override { return "PowerSGD"; }

    std::unique_ptr<HookedReduction>
    reduce(std::span<float>, std::span<const BucketPiece> pieces, Backend& backend) override {
        std::vector<Matrix> matrices;
        std::vector<std::span<float>> plain;
        for (const BucketPiece& piece : pieces) {
            const std::size_t rows = rows_of(piece);
            const std::size_t columns = rows == 0 ? 0 : piece.values.size() / rows;
            if (rows == 0 || options_.rank * (rows + columns) >= piece.values.size()) {
                plain.push_back(piece.values);
                continue;
            }
            const auto residual = residuals_.of(piece.parameter, piece.values.size());
            std::transform(piece.values.begin(),
                           piece.values.end(),
                           residual.begin(),
                           piece.values.begin(),
                           std::plus<>());
            matrices.push_back({.values = piece.values,
                                .residual = residual,
                                .rows = rows,
                                .columns = columns,
                                .p = {},
                                .q = factor(piece.parameter, columns)});
        }
        return std::make_unique<PowerReduction>(
            std::move(matrices), std::move(plain), options_.rank, backend);
    }

private:
    std::size_t rows_of(const BucketPiece& piece) const {
        const std::size_t rows =
            piece.parameter < options_.rows.size() ? options_.rows[piece.parameter] : 0;
        if (rows > 0 && piece.values.size() % rows != 0) {
            throw UsageError("PowerSGD: the rows given for a parameter do not divide its elements");
        }
        return rows;
    }

    /// The last step's right factor, where this one's search starts; at first a guess, the same on
    /// all members.
    std::span<float> factor(std::size_t parameter, std::size_t columns) {
        if (parameter >= factors_.size()) {
            factors_.resize(parameter + 1);
        }
        std::vector<float>& q = factors_[parameter];
        if (q.empty()) {
            q.resize(columns * options_.rank);
            Random random(options_.seed, parameter);
            for (float& value : q) {
                value = static_cast<float>(random.normal());
            }
        }
        return q;
    }

    PowerSgdOptions options_;
    Residuals residuals_;
    std::vector<std::vector<float>> factors_; ///< By parameter.
};

} // namespace

std::shared_ptr<GradientHook> make_power_sgd_hook(PowerSgdOptions options) {
    if (options.rank == 0) {
        throw UsageError("PowerSGD of rank 0; use at least 1");
    }
    return std::make_shared<PowerSgdHook>(std::move(options));
}

} // namespace muster::train
